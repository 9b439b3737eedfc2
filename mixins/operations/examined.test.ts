import { expect, test } from "@jest/globals";
import { ok, warn, fail, type Finding } from "./doctor/finding.ts";
import { merged, sharing } from "./examined.ts";

const from = (node: string, findings: readonly Finding[], embedded: readonly string[] = []) => ({
  node,
  answer: { findings, embedded },
  sentAt: 0,
  cameAt: 0,
});
const connections = (open: number): Finding => ({ subject: "db:5432", ...ok("connections", `${open} of 97 open`) });

test("a server that two nodes have asked is one finding, with the worst word, and both nodes", () => {
  const worse: Finding = { subject: "db:5432", ...warn("connections", "80 of 97 open", "raise them") };
  expect(merged([from("a", [connections(70)]), from("b", [worse]), from("c", [connections(71)])])).toEqual([
    { ...worse, nodes: ["a", "b", "c"] },
  ]);
});

test("several findings of one check stay several, and a machine is a node's own", () => {
  const off = (name: string): Finding => ({ subject: "db:5432", ...fail("durability", `${name} is off`, "set it on") });
  const disk: Finding = { subject: "machine", ...ok("disk", "data: 50 % free") };
  expect(merged([from("a", [off("fsync"), off("synchronous_commit"), disk]), from("b", [disk])])).toMatchObject([
    { message: "fsync is off", nodes: ["a"] },
    { message: "synchronous_commit is off", nodes: ["a"] },
    { subject: "node a", check: "disk", nodes: ["a"] },
    { subject: "node b", check: "disk", nodes: ["b"] },
  ]);
});

test("a service on SQLite may run in many processes, and on one machine", () => {
  const nodes = [
    { id: "a1", hostname: "a" },
    { id: "a2", hostname: "a" },
    { id: "b1", hostname: "b" },
  ];
  const answers = [from("a1", [], ["loans", "books"]), from("b1", [], ["books"])];
  const runners = new Map([
    ["loans", ["a1", "a2"]],
    ["books", ["a1", "b1"]],
    ["users", ["a1", "b1"]],
  ]);
  expect(sharing(answers, nodes, runners)).toMatchObject([
    { status: "ok", subject: "loans", message: "on SQLite, on a alone" },
    { status: "FAIL", subject: "books", message: "on SQLite, and runs on a, b: each has a file of its own" },
  ]);
});
