// A cluster whose nodes have keys, on a real NATS server that lets everybody do everything, and strangers on it. What the
// server's own users may do comes on top of this.
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { generateKeyPairSync } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { connect, type NatsConnection } from "nats";
import { ALL_SERVICES, newClusterKeys, newId, readEnvironment } from "../../kernel/index.ts";
import { personBehind, typedCall, type Behalf } from "../../contract/index.ts";
import { until } from "../../testing/index.ts";
import { Nats } from "../../testing/servers.ts";
import { metersOf } from "../../metrics/index.ts";
import { brokerOptions } from "../index.ts";
import { busMetrics } from "../metrics.ts";

const { clusterKeys, nodeKeys } = newClusterKeys({
  door: ["api"],
  core: ["accounts", "loans:loan", "listeners"],
  other: ["reports:report"],
});

let nats: Nats;
let stranger: NatsConnection;
const brokers: ServiceBroker[] = [];
/** Calls that reached the services, and packets that strangers got. */
let heard: string[] = [];

const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
const jwk = { ...(await exportJWK(publicKey)), kid: "key-1", alg: "ES256", use: "sig" };
const tokenOf = (claims: object, key = privateKey, expires: string | number = "5m"): Promise<string> =>
  new SignJWT({ roles: [], ...claims })
    .setProtectedHeader({ alg: "ES256", kid: "key-1", typ: "at+jwt" })
    .setIssuer("valence")
    .setAudience("valence")
    .setJti(newId())
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(key);

const accounts: ServiceSchema = {
  name: "accounts",
  actions: {
    login: () => ({ by: "the real one" }),
    jwks: () => ({ keys: [jwk] }),
  },
};
const loans = {
  name: "loans",
  actions: {
    whoAsks: (ctx: any) => ({ user: ctx.meta.user, node: ctx.nodeID }),
    whoIsRecorded: (ctx: any) => personBehind(ctx.meta),
    report: { permission: "loans:report", handler: () => "all loans" },
    free: { permission: false, handler: () => "freed" },
    count: { permission: "loans:report", callers: ["api"], handler: () => "12" },
    forReports: { permission: false, callers: ["reports"], handler: () => "for reports" },
    // Answers with a meta that its caller would merge.
    lie(ctx: any) {
      ctx.meta.user = { id: "root", roles: ["admin"] };
      return true;
    },
  },
} as unknown as ServiceSchema;
const listeners: ServiceSchema = {
  name: "listeners",
  events: {
    "*.made": (ctx: any) => void heard.push(`${ctx.eventName} ${ctx.params.id} by ${ctx.meta.user?.id ?? "nobody"}`),
  },
};

/** A node. Without a role it has no keys: a node of somebody who can connect and no more. */
async function node(
  role: string | undefined,
  services: ServiceSchema[],
  id: string,
  keys = nodeKeys,
  env: Record<string, string> = {},
): Promise<ServiceBroker> {
  const environment = readEnvironment({
    NATS_URL: nats.url,
    NODEID: id,
    REQUEST_TIMEOUT_MS: "2000",
    ...(role !== undefined && { CLUSTER_KEYS: clusterKeys, NODE_KEY: keys.get(role)! }),
    ...env,
  });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  for (const service of services) broker.createService(service);
  brokers.push(broker);
  await broker.start();
  return broker;
}

let door: ServiceBroker;
let core: ServiceBroker;
beforeAll(async () => {
  nats = await Nats.start();
  stranger = await connect({ servers: nats.url });
  core = await node("core", [accounts, loans, listeners], "core.1");
  door = await node("door", [{ name: "api" }], "door.1");
  await door.waitForServices(["accounts", "loans", "listeners"], 5_000, 20);
});
afterAll(async () => {
  await Promise.all(brokers.map(broker => broker.stop()));
  await stranger.close();
  await nats.stop();
});
beforeEach(() => {
  heard = [];
});

/** How often packets were refused for this reason. */
const refused = (broker: ServiceBroker, reason: string): number =>
  metersOf(broker)!.counter(busMetrics.refused, { reason }).value;
const endpointsOf = (broker: ServiceBroker, action: string): string[] =>
  broker.registry.actions.get(action)?.endpoints.map(({ id }) => id) ?? [];
const as = (user: object, token?: string) => ({ meta: { user, ...(token !== undefined && { token }) } });

test("nodes call each other on nobody's behalf, and the one that answers knows which node asks", async () => {
  expect(await door.call("loans.whoAsks")).toEqual({ user: undefined, node: "door.1" });
  expect(await door.call("loans.free")).toBe("freed");
  expect(await core.call("loans.whoAsks")).toEqual({ user: undefined, node: "core.1" });
});

test("on nobody's behalf a role uses its own services, and of others what is for its services", async () => {
  const second = await node("core", [], "core.2");
  await second.waitForServices("loans", 3_000, 20);
  for (const action of ["loans.report", "loans.count", "loans.forReports"])
    expect(await second.call(action)).toEqual(expect.any(String));
  expect(await door.call("loans.count")).toBe("12");
  for (const action of ["loans.report", "loans.forReports"])
    await expect(door.call(action)).rejects.toMatchObject({
      type: "FORBIDDEN",
      code: 403,
      message: expect.stringContaining(`${action} is not for services of the role door`),
    });
  // For a person the permission decides, as ever.
  const token = await tokenOf({ sub: "root", roles: ["admin"] });
  expect(await door.call("loans.report", {}, as({}, token))).toBe("all loans");
  await second.stop();
});

test("a person is whom the token names, whatever the caller says of them", async () => {
  const token = await tokenOf({ sub: "ann", roles: ["reader"], scope: "loans:read loans:report" });
  const { user } = await door.call<any, object>("loans.whoAsks", {}, as({ id: "root", roles: ["admin"] }, token));
  expect(user).toEqual({ id: "ann", roles: ["reader"], scopes: ["loans:read", "loans:report"] });
  await expect(door.call("loans.report", {}, as({ id: "root", roles: ["admin"] }, token))).rejects.toMatchObject({
    code: 403,
    message: "loans.report asks for the permission loans:report",
  });
  const admin = await tokenOf({ sub: "root", roles: ["admin"] });
  expect(await door.call("loans.report", {}, as({}, admin))).toBe("all loans");
  await expect(door.call("loans.free", {}, as({}, admin))).rejects.toMatchObject({ code: 403 });
});

test("on whose behalf a service calls is for the record: believed of its own role's nodes, and no right", async () => {
  const recordedFor = (behalf: Behalf, meta = {}): Promise<unknown> =>
    typedCall(door)("loans.whoIsRecorded" as never, {} as never, { behalf, meta });
  const ann = { user: "ann", key: "key-7" };
  expect(await recordedFor({ caller: "api", ...ann })).toEqual(ann);
  expect(await recordedFor({ caller: "reports", ...ann })).toEqual({});
  expect(await door.call("loans.whoIsRecorded", {}, { meta: { onBehalf: ann } })).toEqual({});
  expect(await recordedFor({ caller: "api", user: {} as never })).toEqual({});
  const token = await tokenOf({ sub: "bob" });
  expect(await recordedFor({ caller: "api", ...ann }, { user: { id: "bob", roles: [] }, token })).toEqual({
    user: "bob",
  });
  const asAdmin = { behalf: { caller: "api", user: "root" } };
  await expect(typedCall(door)("loans.report" as never, {} as never, asAdmin)).rejects.toMatchObject({ code: 403 });
});

test("workers of one run believe each other whom an operator names, by the keys of that run and no others", async () => {
  const run = (options = {}) => newClusterKeys({ worker: [ALL_SERVICES] }, options);
  const worker = (id: string, services: ServiceSchema[], { clusterKeys, nodeKeys }: ReturnType<typeof run>) =>
    node("worker", services, id, nodeKeys, { NAMESPACE: "run", CLUSTER_KEYS: clusterKeys });
  const [own, another, ofCluster] = [run({ anyNodeId: true }), run({ anyNodeId: true }), run()];
  const operator = as({ id: "os:ann", roles: ["admin"] });
  const [first, second, strange, , neighbour] = await Promise.all([
    worker("w1", [loans], own),
    worker("w2", [], own),
    worker("w3", [], another),
    worker("worker.1", [{ ...loans, name: "lendings" }], ofCluster),
    worker("worker.2", [], ofCluster),
  ]);
  await second.waitForServices("loans", 3_000, 20);
  expect(await second.call("loans.whoAsks", {}, operator)).toMatchObject({ user: operator.meta.user });
  expect(await second.call("loans.report", {}, operator)).toBe("all loans");
  // Whom it names has that person's rights, and no more.
  await expect(second.call("loans.report", {}, as({ id: "os:bob", roles: [] }))).rejects.toMatchObject({ code: 403 });

  await until("it is refused", () => refused(first, "stranger") > 0);
  expect(endpointsOf(strange, "loans.report")).toEqual([]);
  await expect(strange.call("loans.report", {}, operator)).rejects.toMatchObject({ code: 503 });

  // A role of a cluster has a name of its own in each node's id: its nodes believe a token, whatever they may run.
  await neighbour.waitForServices("lendings", 3_000, 20);
  await expect(neighbour.call("lendings.report", {}, operator)).rejects.toMatchObject({ type: "CALLER_UNPROVEN" });
});

test("a person who is not logged in is that, and may do less than nobody", async () => {
  const nobody = { id: "", roles: [] };
  expect(await door.call("loans.whoAsks", {}, as(nobody))).toMatchObject({ user: nobody });
  await expect(door.call("loans.free", {}, as(nobody))).rejects.toMatchObject({ code: 403 });
});

test("a person without a valid token is refused, by name, before anything runs", async () => {
  const other = await generateKeyPair("ES256");
  const admin = { sub: "root", roles: ["admin"] };
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const none = `${encoded({ alg: "none", kid: "key-1", typ: "at+jwt" })}.${encoded({ ...admin, exp: 9e9 })}.`;
  const tokens: Record<string, unknown> = {
    none: undefined,
    "another key": await tokenOf(admin, other.privateKey),
    "long over": await tokenOf(admin, privateKey, Math.floor(Date.now() / 1_000) - 60),
    "no algorithm": none,
    "no subject": await tokenOf({ roles: ["admin"] }),
    "no roles": await tokenOf({ sub: "root", roles: "admin" }),
    "no token": "x",
    "no text": { toString: 1 },
    empty: "",
  };
  for (const [what, token] of Object.entries(tokens)) {
    const asked = door.call("loans.report", {}, as({ id: "root", roles: ["admin"] }, token as string));
    await expect(asked.catch(({ code, type }) => [what, code, type])).resolves.toEqual([what, 401, "CALLER_UNPROVEN"]);
  }
  for (const user of [null, "root", { id: "root" }, { id: "", roles: ["admin"] }, { roles: [] }])
    await expect(door.call("loans.report", {}, as(user as never))).rejects.toMatchObject({ type: "CALLER_UNPROVEN" });
});

test("an answer cannot change who its caller asks for", async () => {
  const { meta } = await new Promise<any>((resolve, reject) => {
    const context = door.ContextFactory.create(door, null as never, {}, as({ id: "", roles: [] }));
    context.call("loans.lie").then(() => resolve(context), reject);
  });
  expect(meta.user).toEqual({ id: "", roles: [] });
});

test("events come from nodes of the cluster, as the person whom their token names", async () => {
  const token = await tokenOf({ sub: "ann" });
  await door.broadcast("note.made", { id: "1" }, as({ id: "root", roles: ["admin"] }, token) as never);
  await door.emit("note.made", { id: "2" });
  await door.emit("note.made", { id: "3" }, as({ id: "root", roles: ["admin"] }) as never);
  await until("both are heard", () => heard.length >= 2);
  await sleep(50);
  expect(heard.toSorted()).toEqual(["note.made 1 by ann", "note.made 2 by nobody"]);
});

test("a node without keys sees nobody, and nobody sees it", async () => {
  const got: string[] = [];
  const ghost = await node(undefined, [], "core.ghost");
  ghost.createService({ name: "accounts", actions: { login: () => void got.push("a password"), jwks: () => got } });
  await sleep(300);
  for (let i = 0; i < 10; i++) expect(await door.call("accounts.login", {})).toEqual({ by: "the real one" });
  expect(endpointsOf(door, "accounts.login")).toEqual(["core.1"]);
  expect(got).toEqual([]);
  await expect(ghost.call("loans.free", {}, { nodeID: "core.1" })).rejects.toMatchObject({ code: 503 });
  expect(refused(door, "unsigned")).toBeGreaterThan(0);
  await ghost.stop();
  expect(await door.call("accounts.login", {})).toEqual({ by: "the real one" });
});

test("a node of one role is no endpoint for what only another role may run, and its own services are", async () => {
  const got: string[] = [];
  const ghost = await node("other", [{ name: "reports", actions: { all: () => "all reports" } }], "other.1");
  ghost.createService({ name: "accounts", actions: { login: () => void got.push("a password"), jwks: () => got } });
  ghost.createService({
    name: "reports",
    version: 2,
    settings: { $noServiceNamePrefix: true },
    actions: { "accounts.login": () => void got.push("a password") },
  });
  await door.waitForServices("reports", 3_000, 20);
  await until("the ghost's services are judged", () => refused(door, "not-of-role") >= 2);
  expect(await door.call("reports.all")).toBe("all reports");
  for (let i = 0; i < 10; i++) expect(await door.call("accounts.login", {})).toEqual({ by: "the real one" });
  await expect(door.call("accounts.login", {}, { nodeID: "other.1" })).rejects.toThrow();
  expect(got).toEqual([]);
  await ghost.stop();
});

test("a service that a role may not run hears nothing, and no service takes the events that are for another", async () => {
  const told: string[] = [];
  const stolen: string[] = [];
  const tell = { "note.told": (ctx: any) => void told.push(ctx.params.id) };
  const steal = (ctx: any) => void stolen.push(ctx.eventName);
  const listener = await node("core", [{ name: "listeners", events: tell }], "core.3");
  const spy = await node("other", [], "other.2");
  const before = refused(door, "not-of-role");
  spy.createService({ name: "$spy", events: { "note.told": steal } });
  const events = { "note.told": { group: "listeners", handler: steal }, "note.kept": steal };
  spy.createService({ name: "reports", events });
  await until("they are judged", () => refused(door, "not-of-role") >= before + 2);
  for (let i = 0; i < 6; i++) await door.emit("note.told", { id: `${i}` });
  await door.emit("note.kept", {});
  await until("all have arrived", () => told.length === 6 && stolen.length > 0);
  expect(stolen).toEqual(["note.kept"]);
  await Promise.all([spy.stop(), listener.stop()]);
});

test("a role's key owns the logs of its own actors: not another's, whose events it cannot emit either", async () => {
  const owner = (actor: string): ServiceSchema => ({
    name: "reports",
    metadata: { actor, events: { [`${actor}.made`]: 1, "loan.made": 1 }, zone: "a" },
  });
  const metadataOf = (nodeID: string): any =>
    (door.registry.services as any).services.find(({ name, node }: any) => name === "reports" && node.id === nodeID)
      ?.metadata;
  const before = refused(door, "not-of-role");
  const ghosts = [await node("other", [owner("loan")], "other.8"), await node("other", [owner("report")], "other.9")];
  for (const id of ["other.8", "other.9"])
    expect(await until(`${id} is known`, () => metadataOf(id))).toEqual({ zone: "a" });
  expect(refused(door, "not-of-role") - before).toBeGreaterThanOrEqual(2);
  const refusedByCore = refused(core, "not-of-role");
  await ghosts[0]!.waitForServices("listeners", 5_000, 20);
  void ghosts[0]!.broadcast("loan.made", { id: "forged" });
  await until("it is refused", () => refused(core, "not-of-role") > refusedByCore);
  void core.broadcast("loan.made", { id: "true" });
  await until("the owner's is heard", () => heard.length > 0);
  expect(heard).toEqual(["loan.made true by nobody"]);
  await Promise.all(ghosts.map(ghost => ghost.stop()));
});

test("a node under another role's name is a stranger", async () => {
  expect(() => readEnvironment({ CLUSTER_KEYS: clusterKeys, NODE_KEY: nodeKeys.get("other")! })).not.toThrow();
  const { nodeKeys: forged, clusterKeys: own } = newClusterKeys({ core: ["accounts"] });
  const environment = readEnvironment({
    NATS_URL: nats.url,
    NODEID: "core.forged",
    CLUSTER_KEYS: own,
    NODE_KEY: forged.get("core")!,
  });
  const ghost = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  brokers.push(ghost);
  ghost.createService({ name: "accounts", actions: { login: () => "ghost" } });
  await ghost.start();
  await sleep(200);
  expect(endpointsOf(door, "accounts.login")).toEqual(["core.1"]);
  expect(refused(door, "stranger")).toBeGreaterThan(0);
  await ghost.stop();
});

test("forged packets do nothing: a call, an event, an answer, a description, a farewell", async () => {
  const packet = (fields: object) => JSON.stringify({ ver: "5", sender: "door.1", ...fields });
  const request = { id: newId(), action: "loans.free", params: {}, meta: {}, level: 1, requestID: newId() };
  const answers: string[] = [];
  stranger.subscribe("MOL.RES.>", { callback: (_error, { data }) => void answers.push(Buffer.from(data).toString()) });
  stranger.publish("MOL.REQ.core.1", packet({ ...request, sender: "core.evil" }));
  stranger.publish("MOL.REQ.core.1", packet(request));
  stranger.publish("MOL.EVENT.core.1", packet({ id: newId(), event: "note.made", data: { id: "9" }, broadcast: true }));
  stranger.publish("MOL.INFO", packet({ sender: "core.9", instanceID: "x", seq: 1, services: [{ name: "accounts" }] }));
  stranger.publish("MOL.DISCONNECT", packet({ sender: "core.1" }));
  stranger.publish("MOL.HEARTBEAT", "rubbish");
  for (const bytes of [[], [1], [1, 0], [1, 1, 255], [2, 1], Array(64).fill(2), Array(64).fill(1)])
    stranger.publish("MOL.REQ.core.1", new Uint8Array(bytes));
  await stranger.flush();
  await until("all are refused", () => refused(core, "unsigned") >= 6 && refused(door, "unsigned") > 0);
  await sleep(100);
  expect(heard).toEqual([]);
  expect(answers).toEqual([]);
  expect(await door.call("accounts.login", {})).toEqual({ by: "the real one" });
});

test("nobody who listens reads a call, and nobody can send one again", async () => {
  const tapped: { subject: string; data: Uint8Array }[] = [];
  const tap = stranger.subscribe(">", { callback: (_error, { subject, data }) => void tapped.push({ subject, data }) });
  await stranger.flush();
  const token = await tokenOf({ sub: "ann" });
  await door.call("accounts.login", { password: "correct horse" }, as({}, token));
  await door.emit("note.made", { id: "secret loan" });
  await until("the event is heard", () => heard.length === 1);
  tap.unsubscribe();
  const text = tapped.map(({ data }) => Buffer.from(data).toString("latin1")).join("\n");
  for (const secret of ["correct horse", "the real one", token, "secret loan"]) expect(text).not.toContain(secret);
  const before = refused(core, "replayed");
  const again = tapped.filter(({ subject }) => /^MOL\.(REQ|EVENT)\.core/.test(subject));
  expect(again.length).toBeGreaterThanOrEqual(2);
  for (const { subject, data } of again) stranger.publish(subject, data);
  // An answer is no call, and what was for one node is not for another.
  for (const { data } of again) stranger.publish("MOL.RES.door.1", data);
  await until("they are dropped", () => refused(core, "replayed") >= before + again.length);
  await sleep(50);
  expect(heard).toEqual(["note.made secret loan by nobody"]);
});

test("a node that comes back under its name is met anew, and packets of its earlier run are not", async () => {
  const farewells: Uint8Array[] = [];
  const tap = stranger.subscribe("MOL.>", { callback: (_error, { data }) => void farewells.push(data) });
  await stranger.flush();
  const first = await node("other", [{ name: "reports", actions: { all: () => "first" } }], "other.2");
  await door.waitForServices("reports", 3_000, 20);
  expect(await door.call("reports.all")).toBe("first");
  await first.stop();
  tap.unsubscribe();
  const second = await node("other", [{ name: "reports", actions: { all: () => "second" } }], "other.2");
  await until("it is seen", () => endpointsOf(door, "reports.all").length === 1);
  for (const data of farewells)
    for (const type of ["INFO", "DISCONNECT", "HEARTBEAT"]) stranger.publish(`MOL.${type}`, data);
  await stranger.flush();
  await sleep(100);
  expect(await door.call("reports.all")).toBe("second");
  expect(await second.call("loans.whoAsks")).toEqual({ user: undefined, node: "other.2" });
  await second.stop();
});

test("a node that runs what its role may not does not start, and says so", async () => {
  await expect(node("door", [{ name: "loans" }], "door.2")).rejects.toThrow(
    "NODE_KEY is the key of door, which may not run loans",
  );
});

test.each<[string, Record<string, string>, string]>([
  ["a key of no role", { NODE_KEY: nodeKeys.get("core")!.replace('"kid":"core"', '"kid":"cellar"') }, "NODE_KEY"],
  ["a key of another role", { NODE_KEY: nodeKeys.get("core")!.replace('"kid":"core"', '"kid":"door"') }, "NODE_KEY"],
  ["a key alone", { CLUSTER_KEYS: "" }, "CLUSTER_KEYS"],
  ["a name of another role", { NODEID: "door.1" }, "NODEID"],
  ["a service of another role", { SERVICES: "accounts,api" }, "SERVICES"],
  [
    "a private key for all",
    { CLUSTER_KEYS: JSON.stringify({ keys: [JSON.parse(nodeKeys.get("core")!)] }) },
    "CLUSTER_KEYS",
  ],
  ["a file that is not there", { NODE_KEY: "/nowhere/core.json" }, "NODE_KEY"],
  [
    "a key of another kind",
    {
      NODE_KEY: JSON.stringify({ ...generateKeyPairSync("x25519").privateKey.export({ format: "jwk" }), kid: "core" }),
    },
    "NODE_KEY",
  ],
])("%s stops the start, and the message names the variable and shows no key", (_what, env, variable) => {
  const all = { CLUSTER_KEYS: clusterKeys, NODE_KEY: nodeKeys.get("core")!, NATS_URL: nats.url, ...env };
  const start = () => brokerOptions(readEnvironment(all));
  expect(start).toThrow(`${variable}="`);
  expect(start).not.toThrow(JSON.parse(nodeKeys.get("core")!).d);
});
