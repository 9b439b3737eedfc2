import { expect, test } from "@jest/globals";
import { PersonalFields } from "../../kernel/index.ts";
import { diff } from "./diff.ts";

const none = { secrets: new Set<string>(), personal: undefined };

test("changes are told by path: what changed, what is new, what is gone", () => {
  const before = { status: "made", lines: [{ title: "a", copies: 1 }], note: "x", "odd key": 1, same: { a: [1] } };
  const after = {
    status: "paid",
    lines: [{ title: "a", copies: 2 }, { title: "b" }],
    "odd key": null,
    same: { a: [1] },
  };
  expect(diff(before, after, 100, none)).toEqual([
    { path: "status", before: "made", after: "paid" },
    { path: "lines[0].copies", before: 1, after: 2 },
    { path: "lines[1]", after: { title: "b" } },
    { path: "note", before: "x" },
    { path: '"odd key"', before: 1, after: null },
  ]);
  expect(diff(before, structuredClone(before), 100, none)).toEqual([]);
  expect(diff({ a: [] }, { a: {} }, 100, none)).toEqual([{ path: "a", before: [], after: {} }]);
});

test("that a secret changed is told, and not from what to what", () => {
  const secrets = { ...none, secrets: new Set(["token"]) };
  const [a, b] = [{ card: { token: { raw: "one" } } }, { card: { token: { raw: "two" } } }];
  expect(diff(a, b, 100, secrets)).toEqual([{ path: "card.token.raw", before: "…", after: "…" }]);
  expect(diff({}, a, 100, secrets)).toEqual([{ path: "card", after: { token: "…" } }]);
});

test("that a person's field changed is told, and not from what to what", () => {
  const personal = new PersonalFields();
  personal.add([{ name: "name", beside: ["city"] }]);
  const [a, b] = [{ to: { name: "Ann", city: "Ulm" } }, { to: { name: "Bob", city: "Bonn" } }];
  expect(diff(a, b, 100, { ...none, personal })).toEqual([
    { path: "to.name", before: "…", after: "…" },
    { path: "to.city", before: "Ulm", after: "Bonn" },
  ]);
});

test("no more changes are told than wanted", () => {
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`k${n}`, n]));
  expect(diff({}, many, 3, none).map(({ path }) => path)).toEqual(["k0", "k1", "k2"]);
});
