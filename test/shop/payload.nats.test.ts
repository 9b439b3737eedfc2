// Packets larger than the bus carries: brokers in this process on a NATS server that takes 64 KiB.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { newId, readEnvironment } from "@valence/runtime/kernel";
import type { LogPage } from "@valence/runtime/stream";
import api from "../../services/api/api.service.ts";
import catalog from "../../services/catalog/catalog.service.ts";
import accounts from "../../services/accounts/accounts.service.ts";
import { until } from "@valence/runtime/testing";
import { freePort, Nats, newDatabases, type Databases } from "@valence/runtime/testing/servers";
import balances from "../hello/balances/balances.service.ts";
import loyalty from "../hello/loyalty/loyalty.service.ts";

const PAYLOAD_BYTES = 65_536;
const PRODUCTS = 100;

let nats: Nats;
let databases: Databases;
let url: string;
let core: ServiceBroker;
let gateway: ServiceBroker;
const brokers: ServiceBroker[] = [];
/** Errors of the transport between the nodes. */
const wrong: unknown[] = [];

async function join(NODEID: string, services: readonly ServiceSchema[], env: Record<string, string> = {}) {
  const environment = readEnvironment({ NATS_URL: nats.url, NODEID, ...databases.env, ...env });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  for (const event of ["$transit.error", "$transporter.error", "$transporter.disconnected"])
    broker.localBus.on(event, (payload: unknown) => wrong.push(event, payload));
  for (const schema of services) broker.createService(schema);
  brokers.push(broker);
  await broker.start();
  return broker;
}

beforeAll(async () => {
  nats = await Nats.start(`max_payload: ${PAYLOAD_BYTES}`);
  databases = await newDatabases();
  const PORT = `${await freePort()}`;
  url = `http://127.0.0.1:${PORT}/api/v1`;
  core = await join("core", [accounts, catalog, loyalty]);
  const products = Array.from({ length: PRODUCTS }, (_, i) => ({
    sku: `LONG-${i}`,
    name: `Long ${i}`,
    description: "漢".repeat(3_000),
    price: { amount: 100, currency: "EUR" },
    category: "long",
  }));
  await core.call("catalog.seed", { products });
  gateway = await join("gateway", [api as ServiceSchema, balances], { PORT });
  await until("the gateway knows the catalog", async () => (await productsOf(1)).status === 200);
});
afterAll(async () => {
  await Promise.all(brokers.map(broker => broker.stop()));
  await databases?.remove();
  await nats?.stop();
});

const productsOf = (pageSize: number) => fetch(`${url}/products?category=long&pageSize=${pageSize}`);

test("a list that is larger than the bus carries is refused with a name, and a shorter one is given", async () => {
  const [large, small] = await Promise.all([productsOf(100), productsOf(3)]);
  expect(large.status).toBe(413);
  expect(await large.json()).toMatchObject({
    type: "/problems/answer-too-large",
    detail: expect.stringMatching(/^the answer has \d{6} bytes, the bus carries 65536/),
  });
  expect(small.status).toBe(200);
  expect(((await small.json()) as { rows: object[] }).rows).toHaveLength(3);
});

test("a request that is larger is refused before it is sent, and leaves nothing behind", async () => {
  const { pendingRequests } = gateway.transit as unknown as { pendingRequests: Map<string, unknown> };
  const before = pendingRequests.size;
  const call = gateway.call("loyalty.open", { id: newId(), owner: "x".repeat(70_000) });
  await expect(call).rejects.toMatchObject({
    code: 413,
    type: "REQUEST_TOO_LARGE",
    message: expect.stringContaining("loyalty.open"),
    data: { family: "refusal" },
  });
  expect(pendingRequests.size).toBe(before);
});

test("an error and what a call leaves in its meta may be too large as well: the caller gets a named error", async () => {
  await join("talkative", [
    {
      name: "talkative",
      actions: {
        fail: () => Promise.reject(new Error("x".repeat(70_000))),
        leave(ctx) {
          ctx.meta["left"] = "x".repeat(70_000);
          return 1;
        },
      },
    },
  ]);
  await gateway.waitForServices("talkative");
  for (const action of ["talkative.fail", "talkative.leave"])
    await expect(gateway.call(action)).rejects.toMatchObject({ code: 413, type: "ANSWER_TOO_LARGE" });
});

test("an event that could not be carried is not committed; those that can be arrive, page by page", async () => {
  const id = newId();
  // Each event could be carried alone, with its envelope.
  await expect(core.call("loyalty.open", { id, owner: "x".repeat(33_000) })).rejects.toMatchObject({
    code: 413,
    type: "EVENT_TOO_LARGE",
    message: expect.stringContaining("account.opened"),
  });
  expect(await core.call("loyalty.get", { id })).toMatchObject({ version: 0 });
  const ids = Array.from({ length: 40 }, newId);
  for (const id of ids) await core.call("loyalty.open", { id, owner: "漢".repeat(10_000) });
  await until("each has its bonus", async () => {
    const points = await Promise.all(ids.map(id => gateway.call<{ points: number }, object>("balances.of", { id })));
    return points.every(({ points }) => points === 100);
  });
  // Read page by page to the end of the log and of a stream: no page is too large, and none is empty before the end.
  const seen: string[] = [];
  for (let cursor = ""; ;) {
    const page: LogPage = await gateway.call("loyalty.readLog", { cursor, limit: 500 });
    if (page.events.length === 0) break;
    seen.push(...page.events.filter(({ type }) => type === "account.opened").map(({ stream }) => stream));
    cursor = page.cursor;
  }
  expect(seen).toEqual(ids);
  const [refunded] = ids as [string];
  for (let i = 0; i < 5; i++)
    await core.call("loyalty.refund", { id: refunded, points: 1, reason: "x".repeat(30_000) });
  const versions: number[] = [];
  while (versions.length < 7) {
    const stream = { id: refunded, from: (versions.at(-1) ?? 0) + 1 };
    const { events }: LogPage = await gateway.call("loyalty.readLog", { cursor: "", limit: 100, stream });
    expect(events.length).toBeGreaterThan(0);
    versions.push(...events.map(({ version }) => version));
  }
  expect(versions).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("none of it was an error on the way, and no connection was lost", () => expect(wrong).toEqual([]));
