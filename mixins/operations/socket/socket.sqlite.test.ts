// Operators' terminals and the process that they join, by a real socket.
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { Audit } from "../../audit/mixin.ts";
import { brokerOptions } from "../../broker/index.ts";
import { readEnvironment } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { Operations } from "../operations.ts";
import { runRepl } from "../shell/repl.ts";
import { operationsTable } from "../table/table.ts";
import { joinBySocket } from "./client.ts";
import { isRunning, socketOf, socketsIn } from "./place.ts";
import { operatorSocket } from "./server.ts";

const shelves: ServiceSchema = {
  name: "shelves",
  metadata: { projections: { shelf: 1 }, sagas: { lending: true }, actor: "book" },
  actions: {
    projections: {
      visibility: "public",
      handler: () => ({ projections: [{ name: "shelf", version: 1, state: "live" }] }),
    },
    rebuildProjection: { visibility: "public", handler: ctx => ({ name: ctx.params.name, started: true }) },
    hidden: { visibility: "public", permission: false, handler: () => "hidden" } as never,
    endless: { visibility: "public", handler: () => new Promise(() => {}) },
  },
};

let folder: string;
let broker: ServiceBroker;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "socket-"));
  broker = await start();
});
afterAll(async () => {
  await broker.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<ServiceBroker> {
  const options = brokerOptions(readEnvironment({ DATA_DIR: folder, NODEID: "house", SHUTDOWN_TIMEOUT_MS: "1000" }));
  const middlewares = [...options.middlewares!, operatorSocket(folder)];
  const made = new ServiceBroker({ ...options, middlewares, logger: false });
  for (const schema of [Operations(), Audit(), shelves]) made.createService(schema);
  await made.start();
  return made;
}
const path = (): string => socketOf(folder, process.pid)!;

test("the socket is the user's alone, and several terminals join it at once", async () => {
  expect(statSync(path()).mode & 0o777).toBe(0o600);
  const links = await Promise.all(["ann", "bob"].map(user => joinBySocket(folder, { user })));
  expect(links[0]!.about).toBe(`joined house, process ${process.pid} of this machine, as os:ann`);
  const answers = await Promise.all(links.map(link => link!.call("ops.projections", {})));
  expect(answers).toMatchObject([{ projections: [{ name: "shelf" }] }, { projections: [{ name: "shelf" }] }]);
  await expect(links[0]!.names()).resolves.toMatchObject({ type: ["book"], "ops.rebuild.name": ["shelf"] });
  await Promise.all(links.map(link => link!.close()));
});

test("what an operator does is recorded in the name of the system's user", async () => {
  const link = (await joinBySocket(folder, { user: "eve o'neil" }))!;
  await link.call("ops.rebuild", { name: "shelf" });
  const records = await until(
    async () => ((await link.call("audit.list", { person: "os:eve_o_neil" })) as { records: object[] }).records,
    found => found.length === 2,
  );
  expect(records).toMatchObject([{ type: "operation.answered" }, { type: "operation.requested" }]);
  await link.close();
});

test("who has asked for less gets a 403 that names the permission, and no event", async () => {
  const link = (await joinBySocket(folder, { user: "ann", scopes: ["operations:read"] }))!;
  await expect(link.call("ops.projections", {})).resolves.toBeDefined();
  await expect(link.call("ops.rebuild", { name: "shelf" })).rejects.toMatchObject({
    code: 403,
    type: "FORBIDDEN",
    message: "ops.rebuild asks for the permission operations:write",
  });
  await expect(link.broker.emit!("book.lent", {})).rejects.toMatchObject({ code: 403 });
  await expect(link.call("shelves.hidden", {})).rejects.toMatchObject({ code: 403 });
  await link.close();
});

test("a refusal arrives with its type and fields", async () => {
  const link = (await joinBySocket(folder, { user: "ann" }))!;
  await expect(link.call("ops.rebuild", {})).rejects.toMatchObject({ code: 422, type: "VALIDATION_ERROR" });
  await expect(link.call("ops.rebuild", { name: "none" })).rejects.toMatchObject({ type: "PROJECTION_NOT_FOUND" });
  await link.close();
});

test("rubbish, and a terminal that is killed in a question, end that terminal alone", async () => {
  for (const text of ["rubbish\n", "null\n", '{"user":7}\n', '{"user":"ann"}\n{"id":1,"call":"shelves.endless"}\n']) {
    const socket = createConnection(path());
    socket.on("error", () => {});
    socket.write(text);
    if (text.includes("call")) {
      await once(socket, "data");
      socket.destroy();
    } else await once(socket, "close");
  }
  const link = (await joinBySocket(folder, { user: "ann" }))!;
  await expect(link.call("ops.nodes", {})).resolves.toBeDefined();
  await link.close();
});

test("a socket that a killed process has left is removed; without another one nobody is joined", async () => {
  const empty = await mkdtemp(join(tmpdir(), "socket-"));
  await expect(joinBySocket(empty, { user: "ann" })).resolves.toBeUndefined();
  writeFileSync(join(empty, "operator-4294967.sock"), "");
  expect([isRunning(4294967), isRunning(process.pid)]).toEqual([false, true]);
  await expect(joinBySocket(empty, { user: "ann" })).resolves.toBeUndefined();
  expect(await readdir(empty)).toEqual([]);
  await rm(empty, { recursive: true });
  expect(socketsIn(join(empty, "gone"))).toEqual([]);
});

test("a process that accepts and hangs is named: whoever is told that none runs starts another on the same data", async () => {
  const other = await mkdtemp(join(tmpdir(), "socket-"));
  const hanging = createServer(() => {}).listen(join(other, "operator-1.sock"));
  await once(hanging, "listening");
  await expect(joinBySocket(other, { user: "ann" }, 50)).rejects.toThrow("process 1 runs here and does not answer");
  hanging.close();
  await rm(other, { recursive: true });
});

test("a token that proves nobody joins nothing, and says so", () =>
  expect(joinBySocket(folder, { user: "ann", token: "made up" })).rejects.toThrow(/^OPERATOR_TOKEN: .*not valid/));

test("a process that accepts and does not answer is passed over when it ends", async () => {
  const other = await mkdtemp(join(tmpdir(), "socket-"));
  const mute = createServer(socket => socket.end()).listen(join(other, "operator-1.sock"));
  await once(mute, "listening");
  await expect(joinBySocket(other, { user: "ann" })).resolves.toBeUndefined();
  mute.close();
  await rm(other, { recursive: true });
});

test("a process that does not reach ops tells its own health, to those who may see it", async () => {
  await broker.destroyService(broker.getLocalService("ops"));
  const link = (await joinBySocket(folder, { user: "ann" }))!;
  expect(await link.call("ops.health", {})).toMatchObject({
    status: expect.any(String),
    nodes: [{ node: "house", dependencies: expect.arrayContaining([expect.objectContaining({ kind: "database" })]) }],
    silent: [],
  });
  await expect(link.call("ops.nodes", {})).rejects.toMatchObject({ type: "SERVICE_NOT_AVAILABLE" });
  await link.close();
  const other = (await joinBySocket(folder, { user: "ann", scopes: ["audit:read"] }))!;
  await expect(other.call("ops.health", {})).rejects.toMatchObject({ code: 403 });
  await other.close();
  broker.createService(Operations());
  await broker.waitForServices("ops", 3_000, 10);
});

/** A REPL whose lines and output are streams. */
async function repl() {
  const link = (await joinBySocket(folder, { user: "ann" }))!;
  const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
  let text = "";
  for (const stream of [output, errors]) stream.on("data", chunk => (text += String(chunk)));
  const ended = runRepl(link, operationsTable, { input, output, errors });
  const say = async (line: string): Promise<string> => {
    text = "";
    input.write(`${line}\n`);
    return until(
      async () => text,
      said => said.includes("mol $ "),
    );
  };
  return { say, ended, said: () => text };
}

test("a REPL answers lines one after another, names the nearest command, and knows Moleculer's", async () => {
  const { say, ended } = await repl();
  expect(await say("projections")).toContain("shelf");
  expect(await say("projctions")).toContain('there is no command "projctions"; did you mean projections?');
  expect(await say("help rebuild")).toContain("rebuild shelf --no-wait");
  expect(await say("info")).toContain("info looks at the process that it runs in");
  expect(await say("help")).toMatch(/saga <id> retry[^]*Moleculer's own: .*call/);
  await say("quit");
  await ended;
});

test("the process that stops ends its REPLs with a line, and takes its socket away", async () => {
  const { say, ended, said } = await repl();
  await say("nodes");
  await broker.stop();
  await ended;
  expect(said()).toContain("house stops: this REPL ends");
  expect(existsSync(path())).toBe(false);
  broker = await start();
});
