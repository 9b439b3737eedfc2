// What clients and operators see of a node that fails, hangs and recovers: a gateway here, the service on a node of its own,
// a NATS server between them.
import Type from "typebox";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Errors, ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import { defineContract } from "../contract/index.ts";
import { startGateway, type RunningGateway } from "../gateway/gateway.fixture.ts";
import { looseRoute } from "../gateway/library.fixture.ts";
import { Gateway } from "../gateway/mixin.ts";
import { newId, readEnvironment } from "../kernel/index.ts";
import { openLog } from "../log/index.ts";
import { BrokerLog } from "../log/mixin.ts";
import { until } from "../testing/index.ts";
import { Nats } from "../testing/servers.ts";
import { Operations } from "./mixin.ts";
import { operationsRoutes } from "./routes.ts";

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

beforeAll(async () => {
  nats = await Nats.start();
  const env = { NATS_URL: nats.url, NAMESPACE: "circuits", SHUTDOWN_TIMEOUT_MS: "3000", REQUEST_TIMEOUT_MS: "1000" };
  far = new ServiceBroker({
    ...brokerOptions(readEnvironment({ ...env, NODEID: "far" })),
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
    ...operationsRoutes.filter(({ url }) => /\/ops\/(circuits|log-levels)$/.test(url)),
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

test("an operator has another node log more of a module, for a time", async () => {
  const levels = (body?: object) =>
    gateway.http(body ? "POST" : "GET", "/api/v1/ops/log-levels", { token: admin, ...(body && { body }) });
  const oracleHere = async () => (await levels()).json.levels.filter((one: any) => one.module === "oracle");
  const say = (): void => far.getLocalService("oracle").logger.debug("more of it");

  say();
  expect(said).not.toContain("more of it");
  expect(await oracleHere()).toEqual([{ node: "far", module: "oracle", level: "error" }]);
  expect((await levels({ module: "oracle", level: "debug", forMinutes: 0.02 })).json).toEqual({
    level: "debug",
    nodes: [{ node: "far", modules: ["oracle"] }],
    silent: [],
  });
  say();
  expect(said).toMatch(/"level":"debug".*"node":"far".*"module":"oracle".*"msg":"more of it"/);
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
  Number(/^valence_circuits_opened_total\{service="oracle",node="far"\} (\d+)$/m.exec(await metrics())?.[1] ?? 0);

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
    expect(await metrics()).toContain('valence_circuits_open{service="oracle",node="far"} 1\n');
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
    expect(await metrics()).toContain('valence_circuits_open{service="oracle",node="far"} 0\n');
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

test("a node that left has no circuit any more", async () => {
  await far.stop();
  await until("it is forgotten", async () => (await circuit()) === undefined);
});
