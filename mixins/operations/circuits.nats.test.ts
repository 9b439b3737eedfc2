// What clients and operators see of a node that fails, hangs and recovers, and of the bus between: a gateway here, the service on a node of its own,
// a NATS server between them. An operator's terminal joins them as a third node.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Type from "typebox";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Errors, ServiceBroker, type ServiceSchema } from "moleculer";
import { connect, DiscardPolicy, nanos, StorageType } from "nats";
import { brokerOptions } from "../broker/index.ts";
import { defineContract } from "../contract/index.ts";
import { startGateway, type RunningGateway } from "../gateway/gateway.fixture.ts";
import { looseRoute } from "../gateway/library.fixture.ts";
import { Gateway } from "../gateway/mixin.ts";
import { newClusterKeys, newId, readEnvironment } from "../kernel/index.ts";
import { Channel } from "../stream/siblings.ts";
import { openLog } from "../log/index.ts";
import { BrokerLog } from "../log/mixin.ts";
import { until } from "../testing/index.ts";
import { freePort, Nats } from "../testing/servers.ts";
import { lineOf } from "./doctor/finding.ts";
import { natsOf } from "./doctor/nats.ts";
import { Operations } from "./mixin.ts";
import { operationsRoutes } from "./routes.ts";
import { callByHttp } from "./shell/http-link.ts";
import { joinBySocket } from "./socket/client.ts";
import { operatorSocket } from "./socket/server.ts";
import { operationsTable } from "./table/table.ts";

let nats: Nats;
let gateway: RunningGateway;
let far: ServiceBroker;
/** How the far node answers. */
let mood: "well" | "fails" | "hangs" = "well";
let asked = 0;
/** What the far node has logged. */
let said = "";
const keep = (line: string): void => void (said += line);
const log = openLog({ write: keep, collect: keep, flush: () => {}, dropped: 0 });
let admin: string;

const oracle: ServiceSchema = {
  name: "oracle",
  actions: {
    ask() {
      asked++;
      if (mood === "hangs") return new Promise(() => {});
      if (mood === "fails") throw new Errors.MoleculerServerError("broken", 500, "BROKEN");
      return { answer: 42 };
    },
    tell: () => ({ answer: 7 }),
  },
};
const accounts = defineContract({
  service: "accounts",
  actions: { jwks: { params: {}, returns: Type.Object({}) } },
});

const { clusterKeys, nodeKeys } = newClusterKeys({ near: ["api", "accounts", "ops"], far: ["oracle"], operator: [] });
const environmentOf = (role: string) => ({
  NATS_URL: nats.url,
  NAMESPACE: "circuits",
  SHUTDOWN_TIMEOUT_MS: "3000",
  REQUEST_TIMEOUT_MS: "1000",
  CLUSTER_KEYS: clusterKeys,
  NODE_KEY: nodeKeys.get(role)!,
  ...(role !== "operator" && { NODEID: `${role}.1` }),
});

beforeAll(async () => {
  nats = await Nats.start();
  far = new ServiceBroker({
    ...brokerOptions(readEnvironment(environmentOf("far"))),
    logger: new BrokerLog(() => log),
    logLevel: "error",
  });
  far.createService(oracle);
  await far.start();
  const route = (path: string, action: string) =>
    looseRoute(`GET ${path}`, action, { summary: "Ask", access: "public", params: () => ({}) });
  const routes = [
    route("/ask", "oracle.ask"),
    route("/tell", "oracle.tell"),
    ...operationsRoutes.filter(({ url }) => /[/]ops[/](circuits|overview|health|doctor|log-levels)$/.test(url)),
  ];
  gateway = await startGateway(
    ({ jwk }) => ({
      contracts: [accounts],
      answers: { "accounts.jwks": () => ({ keys: [jwk] }) },
      services: [Gateway({ api: { name: "Oracle" }, routes }), Operations()],
      roles: [],
    }),
    environmentOf("near"),
  );
  admin = await gateway.token(newId(), ["admin"]);
  await gateway.broker.waitForServices("oracle");
});
afterAll(async () => {
  await gateway.stop();
  await far.stop();
  await nats.stop();
});

test("an operator has another node log more of a module, for a time", async () => {
  const levels = (body?: object) =>
    gateway.http(body ? "POST" : "GET", "/api/v1/ops/log-levels", { token: admin, ...(body && { body }) });
  const oracleHere = async () => (await levels()).json.levels.filter((one: any) => one.module === "oracle");
  const say = (): void => far.getLocalService("oracle").logger.debug("more of it");

  say();
  expect(said).not.toContain("more of it");
  // The far node fetches the keys of tokens at the first.
  const [here] = await until(oracleHere, found => found.length === 1);
  expect(here).toEqual({ node: "far.1", module: "oracle", level: "error" });
  expect((await levels({ module: "oracle", level: "debug", forMinutes: 0.02 })).json).toEqual({
    level: "debug",
    nodes: [{ node: "far.1", modules: ["oracle"] }],
    silent: [],
  });
  say();
  expect(said).toMatch(/"level":"debug".*"node":"far.1".*"module":"oracle".*"msg":"more of it"/);
  expect(await oracleHere()).toMatchObject([{ level: "debug", until: expect.stringMatching(/Z$/) }]);
  await until("it has gone back", async () => (await oracleHere())[0].level === "error");

  const unknown = await levels({ module: "nothing-of-this-name", level: "debug" });
  expect([unknown.status, unknown.json.type]).toEqual([404, "/problems/log-module-not-found"]);
  expect((await levels({ level: "loud" })).status).toBe(422);
  const reader = await gateway.token(newId(), ["reader"]);
  const body = { level: "trace" };
  expect((await gateway.http("POST", "/api/v1/ops/log-levels", { token: reader, body })).status).toBe(403);
});

const ask = (headers: Record<string, string> = {}) => gateway.http("GET", "/api/v1/ask", { headers });
const circuit = async () => {
  const { json } = await gateway.http("GET", "/api/v1/ops/circuits", { token: admin });
  return json.circuits.find((one: { action: string }) => one.action === "oracle.ask");
};
const metrics = async () => (await gateway.http("GET", "/metrics", { token: admin })).text;
const opened = async () =>
  Number(/^valence_circuits_opened_total\{service="oracle"\} (\d+)$/m.exec(await metrics())?.[1] ?? 0);

/** `valence ops`, as a node of the role `operator`. */
const ops = (words: readonly string[], token?: string) =>
  new Promise<{ code: unknown; out: string; err: string }>(resolve => {
    const env = { PATH: process.env["PATH"], ...environmentOf("operator"), ...(token && { OPERATOR_TOKEN: token }) };
    const valence = join(import.meta.dirname, "../cli/valence.mjs");
    // A data folder where nothing runs.
    const options = { env: { ...env, DATA_DIR: import.meta.dirname }, timeout: 30_000 };
    execFile(process.execPath, [valence, "ops", ...words], options, (error, out, err) =>
      resolve({ code: error ? (error.code ?? error.signal) : 0, out, err }),
    );
  });

test("the socket of a pod reaches the whole cluster in the name of its token's person; without one it says what it lacks", async () => {
  const folder = await mkdtemp(join(tmpdir(), "socket-"));
  const socket = operatorSocket(folder);
  await socket.started!(gateway.broker);
  const reached = async (token?: string) => {
    const link = (await joinBySocket(folder, { user: "ann", ...(token && { token }) }))!;
    const { nodes, silent } = (await link.call("ops.health", {})) as { nodes: { node: string }[]; silent: string[] };
    await link.close();
    return { about: link.about, nodes: nodes.map(({ node }) => node).sort(), silent };
  };
  const person = newId();
  const token = await gateway.token(person, ["admin"]);
  // The far node fetches the keys of tokens at the first.
  const asPerson = await until(
    () => reached(token),
    ({ nodes }) => nodes.length === 2,
  );
  expect(asPerson).toEqual({
    about: expect.stringMatching(new RegExp(`as ${person}$`)),
    nodes: ["far.1", "near.1"],
    silent: [],
  });
  expect(await reached()).toEqual({
    about: expect.stringContaining("as os:ann; other nodes believe no name: with OPERATOR_TOKEN"),
    nodes: ["near.1"],
    silent: ["far.1"],
  });
  const reader = (await joinBySocket(folder, { user: "ann", token: await gateway.token(newId(), ["reader"]) }))!;
  await expect(reader.call("ops.health", {})).rejects.toMatchObject({ type: "FORBIDDEN" });
  await reader.close();
  await socket.stopping!(gateway.broker);
  await rm(folder, { recursive: true });
});

test("an operator's terminal joins as a node of its own, and may do what the person of its token may", async () => {
  const reader = await gateway.token(newId(), ["reader"]);
  const [shown, forbidden, nameless, byUrl] = await Promise.all([
    ops(["nodes", "--json"], admin),
    ops(["rebuild", "shelf"], reader),
    ops(["nodes"]),
    ops(["--url", gateway.url, "health", "--json"], admin),
  ]);
  // By the gateway: the same operation, for the same person.
  expect(byUrl).toMatchObject({ code: 0, err: "" });
  const health = JSON.parse(byUrl.out) as { nodes: { node: string }[] };
  expect(health.nodes.map(({ node }) => node).sort()).toEqual(["far.1", "near.1"]);
  const asked = (url: string, token?: string) => callByHttp(url, token, operationsTable)("ops.health", {});
  await expect(asked(gateway.url, reader)).rejects.toMatchObject({ type: "FORBIDDEN", code: 403 });
  await expect(asked(gateway.url)).rejects.toMatchObject({ type: "UNAUTHENTICATED", code: 401 });
  await expect(asked("http://127.0.0.1:1", admin)).rejects.toThrow("http://127.0.0.1:1 does not answer");
  expect(shown).toMatchObject({ code: 0, err: "" });
  const nodes = (JSON.parse(shown.out) as { nodes: { id: string }[] }).nodes.map(({ id }) => id);
  expect(nodes).toEqual(expect.arrayContaining(["far.1", "near.1"]));
  expect(forbidden).toMatchObject({ code: 1, out: "" });
  expect(forbidden.err).toContain("FORBIDDEN: ops.rebuild asks for the permission operations:write");
  // Its key alone is no person's.
  expect(nameless).toMatchObject({ code: 1, out: "" });
  expect(nameless.err).toContain("FORBIDDEN: ops.nodes is not for services of the role operator");
  const known = () => gateway.broker.registry.getNodeList({}) as { id: string; available: boolean }[];
  expect(known().filter(({ id }) => id.startsWith("operator."))).toHaveLength(3);
  await until("the terminals have left", () => known().filter(({ available }) => available).length === 2);
  // The doctor's first examination takes longer than this gateway gives a request.
  await until("all is well", async () => {
    const { json } = await gateway.http("GET", "/api/v1/ops/overview", { token: admin });
    return json.isWell === true;
  });
});

test.each([
  ["fails", 500, "internal"],
  ["hangs", 504, "request-timeout"],
] as const)(
  "a node that %s: its circuit opens, clients hear when to come back, and it closes when the node is well",
  async (how, status, type) => {
    mood = how;
    const before = await opened();
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask()));
    expect(answers[0]).toMatchObject({ status, json: { type: `/problems/${type}` } });
    await until("the circuit is open", async () => (await circuit())?.state === "open");

    const reached = asked;
    const startedAt = performance.now();
    const refused = await ask();
    expect(refused).toMatchObject({ status: 503, json: { type: "/problems/circuit-open" } });
    expect(["1", "2"]).toContain(refused.headers.get("retry-after"));
    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(asked).toBe(reached);
    // Another action of the node is well.
    expect((await gateway.http("GET", "/api/v1/tell")).status).toBe(200);

    const { since, nextTry, ...open } = await circuit();
    expect(open).toMatchObject({ from: "near.1", node: "far.1", service: "oracle", state: "open" });
    expect(open.failures).toBeGreaterThanOrEqual(open.requests / 2);
    expect(Date.parse(nextTry) - Date.parse(since)).toBeLessThanOrEqual(2_001);
    expect(await metrics()).toContain('valence_circuits_open{service="oracle"} 1\n');
    expect(await opened()).toBe(before + 1);
    const { json: overview } = await gateway.http("GET", "/api/v1/ops/overview", { token: admin });
    expect(overview).toMatchObject({ isWell: false, needs: [{ kind: "open circuits", count: 1 }] });
    // Both are read from a clock that counts from the start: rounded, they differ by a millisecond.
    expect(Math.abs(Date.parse(overview.needs[0].oldest) - Date.parse(since))).toBeLessThanOrEqual(2);

    // Nobody but the one trial reaches the node until it is well.
    await until("a trial has reached it", async () => {
      await ask();
      return asked > reached;
    });
    mood = "well";
    await until("the circuit is closed", async () => {
      await ask();
      return (await circuit()).state === "closed";
    });
    expect((await ask()).status).toBe(200);
    expect(await metrics()).toContain('valence_circuits_open{service="oracle"} 0\n');
  },
);

test("clients that give a node no time do not open its circuit for others", async () => {
  mood = "hangs";
  const impatient = await Promise.all(Array.from({ length: 60 }, () => ask({ "request-timeout": "0.05" })));
  // 503: on a busy machine some are not begun within their time.
  const statuses = new Set(impatient.map(({ status }) => status));
  expect([statuses.has(504), [...statuses].filter(status => status !== 503 && status !== 504)]).toEqual([true, []]);
  mood = "well";
  expect((await circuit()).state).toBe("closed");
  expect((await ask()).status).toBe(200);
});

test("the health of both nodes: the bus, and each clock", async () => {
  const { status, json } = await gateway.http("GET", "/api/v1/ops/health", { token: admin });
  expect([status, json.silent]).toEqual([200, []]);
  expect(json.nodes.map(({ node }: { node: string }) => node).sort()).toEqual(["far.1", "near.1"]);
  for (const { dependencies } of json.nodes) {
    const of = (kind: string) => dependencies.find((one: { kind: string }) => one.kind === kind);
    expect(of("bus")).toMatchObject({ status: "ok", name: "NATS", figures: { rttMs: expect.any(Number) } });
    expect(of("clock")).toMatchObject({ status: "ok", figures: { errorMs: expect.any(Number) } });
  }
});

test("nodes that have no doctor are told apart from those that do not answer it", async () => {
  const { json } = await gateway.http("GET", "/api/v1/ops/doctor", { token: admin });
  expect(json.findings).toMatchObject([
    { status: "warn", subject: "node far.1", check: "nodes", message: expect.stringContaining("it has no doctor") },
    { status: "warn", subject: "node near.1", check: "nodes" },
  ]);
});

describe("the doctor of the NATS server", () => {
  const NAMESPACE = "examined";
  const channel = new Channel(NAMESPACE, "oracle");
  const lines = async (check: string, isProduction = false, url = nats.url) => {
    const found = await natsOf(readEnvironment({ NATS_URL: url, NAMESPACE }), ["oracle"], isProduction);
    return found!.results.filter(one => one.check === check).map(one => lineOf({ subject: "nats", ...one }));
  };

  test("says nothing without one, and fails for one that is away", async () => {
    expect(await natsOf(readEnvironment({}), ["oracle"], true)).toBeUndefined();
    expect(await lines("bus")).toEqual([expect.stringMatching(/^ok .*ms there and back, version \d/)]);
    const away = `nats://127.0.0.1:${await freePort()}`;
    expect(await lines("bus", false, away)).toEqual([expect.stringMatching(/^FAIL .*it cannot be reached: /)]);
  });

  test("streams as they are made, and with each setting that loses messages", async () => {
    expect(await lines("streams")).toEqual([expect.stringMatching(/^warn .*cannot be seen .*npx valence migrate/)]);
    const connection = await connect({ servers: [nats.url] });
    try {
      const manager = await connection.jetstreamManager();
      await channel.ensure(manager);
      expect(await lines("streams")).toEqual([expect.stringMatching(/^ok .*1 stream on disk/)]);
      await manager.streams.update(channel.name, { discard: DiscardPolicy.New, max_age: nanos(3_600_000) });
      expect(await lines("streams")).toEqual([
        expect.stringMatching(/^warn .*keeps messages for 60 min/),
        expect.stringMatching(/^warn .*refuses what is new when it is full/),
      ]);
      await manager.streams.delete(channel.name);
      await manager.streams.add({ name: channel.name, subjects: [channel.subjects], storage: StorageType.Memory });
      expect(await lines("streams")).toEqual([expect.stringMatching(/^warn .*is in memory/)]);
      await manager.streams.delete(channel.name);
    } finally {
      await connection.close();
    }
  });

  // The last one: settings that are read again take JetStream away, which the command line has asked for.
  test("one without users lets anybody in, one with users does not", async () => {
    expect(await lines("access")).toEqual([expect.stringMatching(/^warn .*it has no users/)]);
    expect(await lines("access", true)).toEqual([expect.stringMatching(/^FAIL /)]);
    nats.reconfigure('authorization { user: core, password: "kz8Ujq3vY2w" }');
    try {
      const url = nats.url.replace("nats://", "nats://core:kz8Ujq3vY2w@");
      await until("it has users", async () => (await lines("access", true, url))[0]?.startsWith("ok"));
    } finally {
      nats.reconfigure("");
    }
  });
});

test("a node that left has no circuit any more", async () => {
  await far.stop();
  await until("it is forgotten", async () => (await circuit()) === undefined);
});
