// What clients and operators see of a node that fails, hangs and recovers, and of the bus between: a gateway here, the service on a node of its own,
// a NATS server between them.
import Type from "typebox";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Errors, ServiceBroker, type ServiceSchema } from "moleculer";
import { connect, DiscardPolicy, nanos, StorageType } from "nats";
import { brokerOptions } from "../broker/index.ts";
import { defineContract } from "../contract/index.ts";
import { startGateway, type RunningGateway } from "../gateway/gateway.fixture.ts";
import { looseRoute } from "../gateway/library.fixture.ts";
import { Gateway } from "../gateway/mixin.ts";
import { newId, readEnvironment } from "../kernel/index.ts";
import { Channel } from "../stream/siblings.ts";
import { until } from "../testing/index.ts";
import { freePort, Nats } from "../testing/servers.ts";
import { lineOf } from "./doctor/finding.ts";
import { natsOf } from "./doctor/nats.ts";
import { Operations } from "./mixin.ts";
import { operationsRoutes } from "./routes.ts";

let nats: Nats;
let gateway: RunningGateway;
let far: ServiceBroker;
/** How the far node answers. */
let mood: "well" | "fails" | "hangs" = "well";
let asked = 0;
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

beforeAll(async () => {
  nats = await Nats.start();
  const env = { NATS_URL: nats.url, NAMESPACE: "circuits", SHUTDOWN_TIMEOUT_MS: "3000", REQUEST_TIMEOUT_MS: "1000" };
  far = new ServiceBroker({ ...brokerOptions(readEnvironment({ ...env, NODEID: "far" })), logger: false });
  far.createService(oracle);
  await far.start();
  const route = (path: string, action: string) =>
    looseRoute(`GET ${path}`, action, { summary: "Ask", access: "public", params: () => ({}) });
  const routes = [
    route("/ask", "oracle.ask"),
    route("/tell", "oracle.tell"),
    ...operationsRoutes.filter(({ url }) => /\/ops\/(circuits|health|doctor)$/.test(url)),
  ];
  gateway = await startGateway(
    ({ jwk }) => ({
      contracts: [accounts],
      answers: { "accounts.jwks": () => ({ keys: [jwk] }) },
      services: [Gateway({ api: { name: "Oracle" }, routes }), Operations()],
      roles: [],
    }),
    { ...env, NODEID: "near" },
  );
  admin = await gateway.token(newId(), ["admin"]);
  await gateway.broker.waitForServices("oracle");
});
afterAll(async () => {
  await gateway.stop();
  await far.stop();
  await nats.stop();
});

const ask = (headers: Record<string, string> = {}) => gateway.http("GET", "/api/v1/ask", { headers });
const circuit = async () => {
  const { json } = await gateway.http("GET", "/api/v1/ops/circuits", { token: admin });
  return json.circuits.find((one: { action: string }) => one.action === "oracle.ask");
};
const metrics = async () => (await gateway.http("GET", "/metrics", { token: admin })).text;
const opened = async () =>
  Number(/^valence_circuits_opened_total\{service="oracle"\} (\d+)$/m.exec(await metrics())?.[1] ?? 0);

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
    expect(open).toMatchObject({ from: "near", node: "far", service: "oracle", state: "open" });
    expect(open.failures).toBeGreaterThanOrEqual(open.requests / 2);
    expect(Date.parse(nextTry) - Date.parse(since)).toBeLessThanOrEqual(2_001);
    expect(await metrics()).toContain('valence_circuits_open{service="oracle"} 1\n');
    expect(await opened()).toBe(before + 1);

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
  expect(json.nodes.map(({ node }: { node: string }) => node).sort()).toEqual(["far", "near"]);
  for (const { dependencies } of json.nodes) {
    const of = (kind: string) => dependencies.find((one: { kind: string }) => one.kind === kind);
    expect(of("bus")).toMatchObject({ status: "ok", name: "NATS", figures: { rttMs: expect.any(Number) } });
    expect(of("clock")).toMatchObject({ status: "ok", figures: { errorMs: expect.any(Number) } });
  }
});

test("nodes that have no doctor are told apart from those that do not answer it", async () => {
  const { json } = await gateway.http("GET", "/api/v1/ops/doctor", { token: admin });
  expect(json.findings).toMatchObject([
    { status: "warn", subject: "node far", check: "nodes", message: expect.stringContaining("it has no doctor") },
    { status: "warn", subject: "node near", check: "nodes" },
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
