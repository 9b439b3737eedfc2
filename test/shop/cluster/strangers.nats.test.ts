// @slow: it starts the shop four times. The shop's roles as processes of their own, on a NATS server with the users and the
// TLS of `k8s/base`, and strangers on the bus: one without credentials, one with the stolen credentials of a role, and one
// that has stolen the role's key as well. Each gets nothing that is not the role's.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { ServiceBroker } from "moleculer";
import { connect, type NatsConnection } from "nats";
import { brokerOptions } from "@valence/runtime/broker";
import { newClusterKeys, newId, readEnvironment } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { Authority, Child, Nats, newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { ACCOUNT, MIGRATE, passwordVariable } from "../../../mixins/cli/nats-users.ts";
import { orderOf, Shop } from "../support/shop.ts";

const ROOT = join(import.meta.dirname, "../../..");
const NAMESPACE = "valence";
/** As in `k8s/base`. */
const ROLES: Record<string, readonly string[]> = {
  gateway: ["api"],
  core: [
    "accounts:account",
    "carts",
    "catalog",
    "integrations",
    "inventory:stock",
    "notifications",
    "orders:order",
    "payments:payment",
    "payment-provider",
    "seed",
    "shipping:shipment",
  ],
  projections: ["order-views", "ops:operation", "audit"],
  sagas: ["checkout"],
};
const ADMIN = { ADMIN_EMAIL: "root@example.com", ADMIN_PASSWORD: "correct horse battery" };

let folder: string;
let authority: Authority;
let nats: Nats;
let databases: Databases;
let shop: Shop;
const children: Child[] = [];
const { clusterKeys, nodeKeys } = newClusterKeys(ROLES);

/** The variables by which a process of this role connects. */
const connecting = (role: string): Record<string, string> => ({
  NATS_URL: `tls://${role}:pw-${role}@127.0.0.1:${nats.port}`,
  NATS_CA: authority.ca,
  NATS_CERT: join(folder, `${role}.crt`),
  NATS_KEY: join(folder, `${role}.key`),
  NAMESPACE,
  JETSTREAM_DOMAIN: ACCOUNT,
});
const envOf = (role: string): Record<string, string> => ({
  ...databases.env,
  ...ADMIN,
  ...connecting(role),
  CLUSTER_KEYS: clusterKeys,
  NODE_KEY: nodeKeys.get(role)!,
  NODEID: `${role}.1`,
  SERVICES: ROLES[role]!.map(service => service.split(":")[0])
    .filter(service => service !== "payment-provider")
    .join(","),
  CARRIER: "jetstream",
});

/** The server's configuration as it is for Kubernetes, but for what needs a cluster of servers. */
function natsConf(): string {
  const base = readFileSync(join(ROOT, "k8s/base/nats.conf"), "utf8");
  const tls = /^tls \{[^}]*\}/m.exec(base)![0].replaceAll("/etc/nats-tls", join(folder, "tls"));
  const users = readFileSync(join(ROOT, "k8s/base/nats-users.conf"), "utf8");
  const passwords = [...Object.keys(ROLES), MIGRATE].map(role => `${passwordVariable(role)}: "pw-${role}"`);
  return [...passwords, users, tls].join("\n");
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "strangers-"));
  authority = new Authority(folder);
  for (const role of [...Object.keys(ROLES), MIGRATE]) authority.sign(role);
  const server = authority.sign("server");
  mkdirSync(join(folder, "tls"));
  copyFileSync(server.cert, join(folder, "tls/tls.crt"));
  copyFileSync(server.key, join(folder, "tls/tls.key"));
  copyFileSync(authority.ca, join(folder, "tls/ca.crt"));
  nats = await Nats.start(natsConf());
  databases = await newDatabases();
  // As the Job does it before a roll-out.
  const migrate = new Child(["mixins/cli/valence.mjs", "migrate"], { ...databases.env, ...connecting(MIGRATE) });
  await until("the tables and the streams are made", () => !migrate.running, 60_000);
  expect(migrate.output).toContain(`EVENTS-${NAMESPACE}=orders: up to date`);
  for (const role of ["core", "projections", "sagas"]) {
    const child = new Child(["mixins/cli/valence.mjs", "start"], { ...envOf(role), PORT: "0", LOGLEVEL: "info" });
    children.push(child);
    await until(`${role} has started`, () => {
      if (!child.running) throw new Error(`${role} did not start:\n${child.output}`);
      return child.output.includes("started successfully");
    });
  }
  shop = await Shop.start(envOf("gateway"));
}, 240_000);
afterAll(async () => {
  await shop?.stop();
  for (const child of children) await child.end("SIGKILL");
  await nats?.stop();
  await databases?.remove();
  rmSync(folder, { recursive: true, force: true });
});

const get = (path: string, token?: string) =>
  shop.request("GET", `/api/v1${path}`, token === undefined ? {} : { token });
const login = () =>
  shop.request("POST", "/api/v1/auth/login", { body: { email: ADMIN.ADMIN_EMAIL, password: ADMIN.ADMIN_PASSWORD } });
async function bought(token: string): Promise<string> {
  const { body: found } = await get("/products?pageSize=1");
  const order = orderOf([{ productId: found.rows[0].id, quantity: 1 }]);
  const { status, body } = await shop.request("POST", "/api/v1/orders", { body: order, token });
  expect([status, body.status]).toEqual([201, "placed"]);
  return body.id;
}
const isShipped = (id: string, token: string) =>
  until(`order ${id} is shipped`, async () => (await get(`/orders/${id}`, token)).body.status === "shipped", 30_000);

/** A connection with the credentials of a role, and without its key. */
const withCredentials = (role: string): Promise<NatsConnection> =>
  connect({
    servers: `127.0.0.1:${nats.port}`,
    user: role,
    pass: `pw-${role}`,
    inboxPrefix: `_INBOX.${role}`,
    tls: { caFile: authority.ca, certFile: join(folder, `${role}.crt`), keyFile: join(folder, `${role}.key`) },
  });

test("people buy, administrators look, and the read models follow", async () => {
  const token = await shop.customer("ann");
  const order = await bought(token);
  await isShipped(order, token);
  const listed = () => get("/orders", token);
  await until("the list shows it", async () => (await listed()).body.rows[0]?.status === "shipped", 20_000);
  const admin = (await login()).body.accessToken;
  const { body } = await get("/ops/nodes", admin);
  expect(JSON.stringify(body)).toContain("projections.1");
  expect((await get("/ops/nodes", token)).status).toBe(403);
  expect((await get("/ops/consumers", admin)).status).toBe(200);
  // Also the logs of services that only record are their owners' alone, and read.
  for (const actor of ["account", "order", "saga"]) {
    const records = async () => (await get(`/ops/audit?actor=${actor}&limit=1`, admin)).body.records;
    await until(`the audit has records of ${actor}`, async () => (await records()).length === 1, 20_000);
  }
  // The node with the operations asks the node with the sagas, in the administrator's name, and the actors that they name.
  const saga = await get(`/ops/sagas/checkout.${order}`, admin);
  expect(saga).toMatchObject({ status: 200, body: { service: "checkout", state: "completed" } });
  expect(saga.body.timeline.length).toBeGreaterThan(3);
  expect((await get(`/ops/sagas/checkout.${order}`, token)).status).toBe(403);
  for (const child of [shop.child, ...children]) expect(child.output).not.toMatch(/the NATS server does not let/);
});

test("without a certificate, a password or the right authority nobody connects, and a start says why at once", async () => {
  const refusedWith = async (env: Record<string, string>): Promise<string> => {
    const started = performance.now();
    const child = new Child(["mixins/cli/valence.mjs", "start"], {
      ...envOf("gateway"),
      NODEID: "gateway.9",
      PORT: "0",
      ...env,
    });
    await until("it has ended", () => !child.running, 30_000);
    expect(performance.now() - started).toBeLessThan(25_000);
    return child.output;
  };
  const other = new Authority(folder, "other-ca");
  expect(await refusedWith({ NATS_CERT: "", NATS_KEY: "" })).toMatch(/^NATS_CERT=/m);
  expect(await refusedWith({ NATS_CA: other.ca })).toMatch(/^NATS_CA=/m);
  const url = `tls://gateway:wrong@127.0.0.1:${nats.port}`;
  expect(await refusedWith({ NATS_URL: url })).toMatch(/^NATS_URL="tls:\/\/….*user and password/m);
  expect(await refusedWith({ NODEID: "core.9" })).toMatch(/^NODEID="core.9": expected gateway\./m);
  expect(await refusedWith({ NODE_KEY: nodeKeys.get("core")! })).toMatch(/^(NODEID|SERVICES)=/m);
});

test("a node whose user may not hear its subjects does not start, and names the subject", async () => {
  const child = new Child(["mixins/cli/valence.mjs", "start"], {
    ...envOf("gateway"),
    ...connecting("sagas"),
    NODEID: "gateway.8",
    PORT: "0",
  });
  await until("it has ended", () => !child.running, 30_000);
  expect(child.output).toMatch(/does not let this node (hear|publish) MOL-valence\.\S*gateway\.8/);
});

test("the stolen credentials of a role hear nothing of others, and what they publish is dropped", async () => {
  const stolen = await withCredentials("gateway");
  const denied: string[] = [];
  void (async () => {
    for await (const { type, permissionContext } of stolen.status() as AsyncIterable<any>)
      if (type === "error") denied.push(`${permissionContext?.operation} ${permissionContext?.subject}`);
  })();
  const heard: string[] = [];
  const hear = (subject: string) =>
    stolen.subscribe(subject, {
      callback: (error, message) => void (error ?? heard.push(message.subject + message.string())),
    });
  for (const subject of [">", "MOL-valence.>", "MOL-valence.REQ.core.1", "EVENTS-valence.orders.*"]) hear(subject);
  // What is for its own role it hears, sealed.
  hear("MOL-valence.*.gateway.>");
  await stolen.flush();
  const token = await shop.customer("bob");
  const order = await bought(token);
  await isShipped(order, token);
  await login();
  expect(denied).toEqual(expect.arrayContaining(["subscription >", "subscription MOL-valence.REQ.core.1"]));
  expect(heard.length).toBeGreaterThan(0);
  const text = heard.join("\n");
  for (const secret of [ADMIN.ADMIN_PASSWORD, token, order, "accessToken", "bob@example.org"])
    expect(text).not.toContain(secret);

  // Forged packets: a call on nobody's behalf and as an administrator, an event, a ghost's description, a farewell.
  const ghost = { ver: "5", sender: "gateway.ghost" };
  const call = { ...ghost, id: newId(), level: 1, requestID: newId(), params: { id: order, reason: "forged" } };
  const send = (subject: string, fields: object) => stolen.publish(`MOL-valence.${subject}`, JSON.stringify(fields));
  send("REQ.core.1", { ...call, action: "orders.reject", meta: {} });
  send("REQ.core.1", { ...call, action: "orders.refund", meta: { user: { id: "root", roles: ["admin"] } } });
  send("REQ.core.1", { ...call, sender: "sagas.1", action: "orders.reject", meta: {} });
  send("EVENT.projections.1", { ...ghost, id: newId(), event: "stream.stopped", data: { service: "order-views" } });
  send("RES.gateway.1", { ...ghost, id: newId(), success: true, data: { accessToken: "forged" } });
  const actions = { "accounts.login": { name: "accounts.login" }, "accounts.jwks": { name: "accounts.jwks" } };
  const services = [{ name: "accounts", fullName: "accounts", actions }];
  send("INFO", { ...ghost, sender: "core.ghost", instanceID: newId(), seq: 1, services });
  send("DISCONNECT", { ...ghost, sender: "core.1" });
  await stolen.flush();
  await sleep(500);
  for (let i = 0; i < 5; i++) expect((await login()).status).toBe(200);
  expect((await get(`/orders/${order}`, token)).body.status).toBe("shipped");
  expect((await get("/ops/nodes", (await login()).body.accessToken)).body.nodes.map(({ id }: any) => id)).not.toContain(
    "core.ghost",
  );

  // A message of another service's log: the server takes none of this role's user.
  stolen.publish("EVENTS-valence.orders.2", "{}");
  await until("it is denied", () => denied.includes("publish EVENTS-valence.orders.2"));
  await stolen.close();
}, 120_000);

test("a forged message of the owner's own role puts no order into a list, and holds no consumer up", async () => {
  const token = await shop.customer("eve");
  const first = await bought(token);
  await isShipped(first, token);
  const stolen = await withCredentials("core");
  const manager = stolen.jetstream();
  const taken: any[] = [];
  stolen.subscribe("EVENTS-valence.orders.*", { callback: (_error, message) => void (message && taken.push(message)) });
  const { body: me } = await get("/me", token);
  const event = {
    eventId: `order.${newId()}@1`,
    actor: "order",
    stream: newId(),
    version: 1,
    at: new Date().toISOString(),
    metadata: {},
    type: "order.placed",
    data: {
      ...orderOf([]),
      customer: me.id,
      lines: [
        { productId: newId(), sku: "X-1", name: "FORGED", quantity: 7, unitPrice: { amount: 1, currency: "EUR" } },
      ],
      total: { amount: 7, currency: "EUR" },
      fromCart: false,
      placedAt: new Date().toISOString(),
    },
  };
  const forged = { origin: "x", after: "", upTo: "900000000", index: 1, count: 1, event };
  await manager.publish("EVENTS-valence.orders.2", JSON.stringify(forged), { msgID: event.eventId });
  await manager.publish("EVENTS-valence.orders.2", JSON.stringify({ ...forged, upTo: "2", after: "1" }), {
    msgID: "2",
  });
  await sleep(1_000);
  const second = await bought(token);
  await isShipped(second, token);
  const ids = async (): Promise<string[]> => (await get("/orders", token)).body.rows.map(({ id }: any) => id);
  await until("the list has both", async () => (await ids()).includes(second), 20_000);
  expect((await ids()).toSorted()).toEqual([first, second].toSorted());
  await stolen.close();
}, 120_000);

test("a role's stolen key makes a node of that role, and no more: no password, no forged token, no one else's service", async () => {
  const got: string[] = [];
  const pair = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(pair.publicKey)), kid: "ghost", alg: "ES256", use: "sig" };
  const env = {
    ...connecting("sagas"),
    CLUSTER_KEYS: clusterKeys,
    NODE_KEY: nodeKeys.get("sagas")!,
    NODEID: "sagas.ghost",
  };
  const ghost = new ServiceBroker({ ...brokerOptions(readEnvironment(env)), logger: false });
  await ghost.start();
  ghost.createService({
    name: "accounts",
    actions: {
      login: ({ params }: any) => void got.push(params.password),
      refresh: ({ params }: any) => void got.push(params.refreshToken),
      jwks: () => ({ keys: [jwk] }),
    },
  });
  await sleep(1_000);
  for (let i = 0; i < 10; i++) expect((await login()).status).toBe(200);
  const forged = await new SignJWT({ roles: ["admin"] })
    .setProtectedHeader({ alg: "ES256", kid: "ghost", typ: "at+jwt" })
    .setIssuer("valence")
    .setAudience("valence")
    .setSubject(newId())
    .setJti(newId())
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(pair.privateKey);
  expect((await get("/ops/nodes", forged)).status).toBe(401);
  // A person whom it makes up, and a token that it has signed itself.
  await ghost.waitForServices("orders", 5_000);
  const asAdmin = { id: newId(), roles: ["admin"] };
  for (const meta of [{ user: asAdmin }, { user: asAdmin, token: forged }])
    await expect(ghost.call("order-views.sales", {}, { meta })).rejects.toMatchObject({ type: "CALLER_UNPROVEN" });
  expect(got).toEqual([]);
  // On nobody's behalf it does what its role's services do, and nothing that a person needs a permission for.
  const id = newId();
  for (const [action, params] of [
    ["accounts.list", {}],
    ["accounts.get", { id }],
    ["accounts.rotateKeys", { stolen: true }],
    ["orders.view", { id }],
    ["orders.get", { id }],
    ["orders.refund", { id, reason: "stolen" }],
    ["orders.markShipped", { id, trackingId: "none" }],
  ] as [string, object][])
    await expect(ghost.call(action, params)).rejects.toMatchObject({ type: "FORBIDDEN" });
  await ghost.stop();
}, 60_000);

test("the users of the server are what the code says: `npx valence nats-conf` writes them", async () => {
  const args = Object.entries(ROLES).map(([role, services]) => `${role}=${services.join(",")}`);
  const child = new Child(["mixins/cli/valence.mjs", "nats-conf", "--namespace", NAMESPACE, ...args], {});
  await until("it has written them", () => !child.running);
  expect(child.output).toBe(readFileSync(join(ROOT, "k8s/base/nats-users.conf"), "utf8"));
});
