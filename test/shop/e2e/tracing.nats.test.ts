// One order, on two nodes with NATS and Redis between them, as a collector of traces gets to see it: everything that happened
// because of the request hangs together, from HTTP to the rows of the projections and the mail.
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { newId, readEnvironment } from "@valence/runtime/kernel";
import { startTracing, tracing } from "@valence/runtime/tracing";
import { until } from "@valence/runtime/testing";
import {
  buildJaeger,
  builtJaeger,
  Child,
  Collector,
  Jaeger,
  type JaegerSpan,
  Nats,
  newDatabases,
  RedisServer,
  type CollectedSpan,
  type Databases,
} from "@valence/runtime/testing/servers";
import { mailServer, type MailServer } from "../../../mixins/mail/mail-server.fixture.ts";
import accounts from "../../../services/accounts/accounts.service.ts";
import api from "../../../services/api/api.service.ts";
import carts from "../../../services/carts/carts.service.ts";
import catalog from "../../../services/catalog/catalog.service.ts";
import { seedProducts } from "../../../services/catalog/products.seed.ts";
import inventory from "../../../services/inventory/inventory.service.ts";
import { orderOf } from "../support/shop.ts";

/** Of the client, whose own span no collector of ours gets. */
const CLIENT = { trace: "0af7651916cd43dd8448eb211c80319c", id: "b7ad6b7169203331", state: "congo=t61rcWkgMzE" };
const BACK = [
  "orders",
  "inventory",
  "payments",
  "shipping",
  "checkout",
  "order-views",
  "notifications",
  "ops",
  "audit",
];
const ACCOUNT = { email: "ada@example.org", password: "correct horse battery" };

const mayBuild = process.env["JAEGER"] === "build";
const hasJaeger = mayBuild || builtJaeger() !== undefined;
// A Jaeger takes minutes to half an hour to build: `npm run test:jaeger` does, and what it leaves is used by every run.
const testWithJaeger = hasJaeger ? test : test.skip;
const jaegerNote = hasJaeger ? "" : " (there is none: `npm run test:jaeger` builds one where Go is)";

let collector: Collector;
let jaeger: Jaeger | undefined;
let nats: Nats;
let redis: RedisServer;
let databases: Databases;
let mails: MailServer;
let back: Child;
let front: ServiceBroker;
let url: string;
let token: string;
let products: { id: string }[];
/** The order of the client's trace. */
let id: string;

beforeAll(async () => {
  const program = mayBuild ? buildJaeger() : builtJaeger();
  jaeger = program === undefined ? undefined : await Jaeger.start(program);
  [collector, nats, redis, databases, mails] = await Promise.all([
    Collector.start(),
    Nats.start(),
    RedisServer.start(),
    newDatabases(),
    mailServer(),
  ]);
  collector.behind = jaeger?.collector;
  await stock();
  const env = {
    ...databases.env,
    ...mails.env,
    MAIL_UNVERIFIED: "on",
    NATS_URL: nats.url,
    REDIS_URL: redis.url,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: "50",
    OTEL_EXPORTER_OTLP_TIMEOUT: "1000",
  };
  back = new Child(["mixins/cli/valence.mjs", "start"], {
    ...env,
    LOGLEVEL: "error",
    NODEID: "back",
    SERVICES: BACK.join(","),
  });
  const environment = readEnvironment({ ...env, NODEID: "front", PORT: "0" });
  await startTracing(environment);
  front = brokerWith([accounts, api, carts, catalog], brokerOptions(environment));
  await front.start();
  url = (front.getLocalService("api") as { url?: string }).url!;
  await until("the nodes see each other", async () => (await fetch(`${url}/health/ready`)).ok);
  await ask("POST", "/auth/register", { ...ACCOUNT, name: "Ada" });
  token = (await ask("POST", "/auth/login", ACCOUNT)).body.accessToken;
  products = (await ask("GET", "/products")).body.rows;
}, 3_700_000);
afterAll(async () => {
  await tracing()?.stop();
  await Promise.all([front?.stop(), back?.end("SIGTERM")]);
  await Promise.all([databases.remove(), nats.stop(), redis.stop(), mails.stop(), collector.stop(), jaeger?.stop()]);
});
beforeEach(() => {
  collector.mood = "takes";
});

/** On a node that has left when the others come: they load their actors. */
async function stock(): Promise<void> {
  const seeding = brokerWith([catalog, inventory], brokerOptions(readEnvironment(databases.env)));
  await seeding.start();
  await seeding.call("catalog.seed", { products: seedProducts.slice(0, 2) });
  for (const { sku } of seedProducts.slice(0, 2)) await seeding.call("inventory.receive", { id: sku, quantity: 100 });
  await seeding.stop();
}

function brokerWith(schemas: readonly ServiceSchema<any, any, any, any>[], options: object): ServiceBroker {
  const broker = new ServiceBroker({ ...options, logger: false });
  for (const schema of schemas) broker.createService(schema);
  return broker;
}

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as any };
}

async function order(headers: Record<string, string> = {}): Promise<string> {
  const lines = products.map(({ id }) => ({ productId: id, quantity: 1 }));
  const { status, body } = await ask("POST", "/orders", orderOf(lines), { "idempotency-key": newId(), ...headers });
  expect(status).toBe(201);
  return body.id;
}
/** The trace of the client, from when everything that its order caused has been handled. */
const wholeTrace = () =>
  until("the last event has been handled, and its mails are sent", () => {
    const own = collector.spans.filter(({ trace }) => trace === CLIENT.trace);
    const confirmed = own.find(({ name }) => name === "orders.confirm");
    const isThrough = own.some(({ name, parent }) => name === "process sales@2" && parent === confirmed?.id);
    const areMailed = own.filter(({ name }) => name === "mail send").length === 2;
    return isThrough && areMailed && orphansOf(own).length === 0 ? own : undefined;
  });
const isShipped = (id: string) =>
  until(`order ${id} is shipped`, async () => (await ask("GET", `/orders/${id}`)).body.status === "shipped");

test("an order is one trace from the request to the projections and the mail, over nodes and over time", async () => {
  id = await order({ traceparent: `00-${CLIENT.trace}-${CLIENT.id}-01`, tracestate: CLIENT.state });
  await isShipped(id);
  const spans = await wholeTrace();
  const [root, ...others] = spans.filter(({ parent }) => parent === CLIENT.id);
  expect(others).toEqual([]);
  expect(root).toMatchObject({
    name: "POST /api/v1/orders",
    kind: "server",
    attributes: { "url.scheme": "http", "http.route": "/api/v1/orders", "http.response.status_code": 201 },
    events: expect.arrayContaining(["identify", "authorize", "read", "once", "action"]),
  });

  /** By the names on the way, a `>` from cause to effect. */
  const chain = (path: string): CollectedSpan =>
    path.split(" > ").reduce((from, name) => {
      const found = spans.find(span => span.parent === from.id && span.name === name);
      if (!found) throw new Error(`${from.name} has no ${name}, but ${namesUnder(spans, from)}`);
      return found;
    }, root!);

  // Redis, in the gateway.
  expect(chain("EVALSHA")).toMatchObject({ kind: "client", attributes: { "db.system.name": "redis" } });
  // From node to node and back: its command asks the catalog.
  const [sent, done] = [chain("orders.place"), chain("orders.place > orders.place")];
  expect(sent).toMatchObject({ kind: "client", attributes: { "rpc.method": "orders.place", "valence.node": "back" } });
  expect([sent, done].map(({ resource }) => resource["service.instance.id"])).toEqual(["front", "back"]);
  expect(done.kind).toBe("server");
  const statement = chain(
    "orders.place > orders.place > actor prepare > catalog.quote > catalog.quote > SELECT products",
  );
  expect(statement.attributes).toMatchObject({ "db.system.name": "sqlite", "db.operation.name": "SELECT" });
  expect(statement.attributes["db.query.text"]).not.toContain(products[0]!.id);
  // The actor, and the transaction, which links to the commits that it is for.
  chain("orders.place > orders.place > actor decide");
  const commit = chain("orders.place > orders.place > actor commit");
  expect(commit.attributes).toMatchObject({ "valence.verdict": "ok", "valence.version": 1 });
  const batch = chain("orders.place > orders.place > actor commit > store commit");
  expect(batch.links).toContainEqual({ trace: CLIENT.trace, id: commit.id });
  // Every span of a database, a cache or the bus says of which.
  for (const { name, attributes } of spans) {
    if ("db.operation.name" in attributes) expect(attributes).toHaveProperty(["db.system.name"]);
    const [, operation] = /^(publish|process) /.exec(name) ?? [];
    if (operation) expect(attributes).toMatchObject({ "messaging.operation.name": operation });
  }
  // Its event: the relay, a projection, a reactor, and the saga.
  expect(chain("orders.place > orders.place > publish orders").kind).toBe("producer");
  expect(chain("orders.place > orders.place > process order-list@2")).toMatchObject({
    kind: "consumer",
    attributes: { "messaging.system": "valence", "messaging.consumer.group.name": "order-list@2" },
    links: [{ trace: CLIENT.trace, id: done.id }],
  });
  chain("orders.place > orders.place > process order-list@2 > INSERT order_list_v2_orders");
  chain("orders.place > orders.place > process empty-cart");
  chain("orders.place > orders.place > process checkout > actor commit > store commit");
  // The mail, whose address is in no span.
  const mail = "orders.place > orders.place > process order-mails > notifications.record > mail send";
  expect(chain(mail)).toMatchObject({
    kind: "client",
    hasFailed: false,
    attributes: { "valence.mail": "order.placed" },
  });
  chain(`${mail} > accounts.get > accounts.get`);
  expect(JSON.stringify(spans)).not.toContain(ACCOUNT.email);
  // The saga's steps: an actor that has to be loaded first, and the payment provider.
  const saga = "orders.place > orders.place > saga turn checkout";
  expect(chain(`${saga} > saga step reserve`).attributes).toMatchObject({ "valence.saga.purpose": "step" });
  chain(`${saga} > saga step reserve > inventory.reserve > actor load`);
  chain(`${saga} > saga step reserve > inventory.reserve > actor wait`);
  const provider = chain(`${saga} > saga step authorize > payments.authorize > POST`);
  expect(provider).toMatchObject({ kind: "client", attributes: { "http.response.status_code": 201 } });
  // What the client's system has noted goes along, over nodes and in events, to the company that is asked.
  for (const { state } of [done, provider, chain(`${saga} > saga step confirm > orders.confirm`)])
    expect(state).toBe(CLIENT.state);
  // What its last event has done.
  chain(`${saga} > saga step confirm > orders.confirm > process sales@2 > UPDATE checkpoints`);
});

testWithJaeger(`Jaeger finds the order's trace by the order, with the same edges${jaegerNote}`, async () => {
  const edgesOf = ({ id, name, causes }: Pick<JaegerSpan, "id" | "name" | "causes">): string =>
    `${id} ${name} because of ${[...new Set(causes)].sort().join(", ")}`;
  // It shows a span a moment after it has answered for it.
  const ours = await wholeTrace();
  const found = await until(
    () => jaeger!.find("valence", "valence.stream", `order.${id}`),
    spans => spans.length >= ours.length,
  );
  expect(found.every(({ trace }) => trace === CLIENT.trace)).toBe(true);
  const own = collector.spans.filter(({ trace }) => trace === CLIENT.trace);
  const sent = own.map(span => ({ ...span, causes: [span.parent, ...span.links.map(link => link.id)] }));
  expect(found.map(edgesOf).sort()).toEqual(sent.map(edgesOf).sort());
});

test("a collector that is away or hangs keeps no order waiting", async () => {
  const { counts } = tracing()!;
  const { exportFailed } = counts;
  collector.mood = "hangs";
  const first = await order();
  collector.mood = "is busy";
  const second = await order();
  await Promise.all([first, second].map(isShipped));
  await until("spans are counted as lost", () => counts.exportFailed > exportFailed);
});

/** Spans whose parent no collector has. */
function orphansOf(spans: readonly CollectedSpan[]): CollectedSpan[] {
  const ids = new Set([CLIENT.id, ...spans.map(({ id }) => id)]);
  return spans.filter(({ parent }) => !ids.has(parent));
}

const namesUnder = (spans: readonly CollectedSpan[], { id }: CollectedSpan): string =>
  [...new Set(spans.filter(({ parent }) => parent === id).map(({ name }) => name))].join(", ");
