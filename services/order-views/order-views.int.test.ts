import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { randomUUID } from "node:crypto";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { metricOf } from "@valence/runtime/testing/broker";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { readEnvironment } from "@valence/runtime/kernel";
import type { ProjectingService } from "@valence/runtime/projection/mixin";
import { COMMITTED, type LogEvent, type ReadLog } from "@valence/runtime/stream";
import { orderListMetrics } from "./metrics.ts";
import { OrderList } from "./order-list.projection.ts";
import orderViews from "./order-views.service.ts";

/** The log of `orders`, as its actors write it. */
const log: LogEvent[] = [];
const ordersService: ServiceSchema = {
  name: "orders",
  metadata: { actor: "order", events: Object.fromEntries(Object.keys(OrderList.on).map(type => [type, 1])) },
  actions: {
    readLog({ params: { cursor, limit, stream } }: { params: ReadLog }) {
      if (stream) return { events: log.filter(event => event.stream === stream.id && event.version >= stream.from) };
      const from = Number(cursor);
      const events = log.slice(from, from + limit);
      return { events, cursor: `${from + events.length || ""}`, behind: log.length - from };
    },
  },
};

let databases: Databases;
let broker: ServiceBroker;
beforeAll(async () => {
  databases = await newDatabases();
  broker = new ServiceBroker({ ...brokerOptions(readEnvironment(databases.env)), logger: false });
  broker.createService(ordersService);
  broker.createService(orderViews);
  await broker.start();
});
afterAll(async () => {
  await broker.stop();
  await databases.remove();
});

const [ann, bob] = [randomUUID(), randomUUID()];
function append(stream: string, type: string, data: object = {}): string {
  const version = log.filter(event => event.stream === stream).length + 1;
  const at = new Date().toISOString();
  const eventId = `order.${stream}@${version}`;
  log.push({ eventId, type, actor: "order", stream, version, at, data, metadata: {} } as unknown as LogEvent);
  void broker.broadcast(COMMITTED, { service: "orders" });
  return `${stream}@${version}`;
}
let placedAt = Date.parse("2026-01-01T00:00:00Z");
function place(customer: string, amount: number): { id: string; token: string } {
  const id = randomUUID();
  const total = { amount, currency: "EUR" };
  const data = { customer, total, lines: [{ quantity: 3 }], placedAt: new Date(placedAt++).toISOString() };
  return { id, token: append(id, "order.placed", data) };
}
const list = (params: object, user?: object): Promise<any> =>
  broker.call("order-views.list", params, user ? { meta: { user } } : {});
const customerAnn = { id: ann, roles: ["customer"] };
const admin = { id: randomUUID(), roles: ["admin"] };

test("lists newest first, page by page, and reads what the token names", async () => {
  const ids = Array.from({ length: 7 }, (_, i) => place(ann, 100 + i)).map(({ id }) => id);
  place(bob, 1);
  const { id, token } = place(ann, 999);
  const first = await list({ customer: ann, pageSize: 3, after: token });
  expect(first).toMatchObject({ total: 8, page: 1, pageSize: 3 });
  expect(first.rows.map((row: any) => row.id)).toEqual([id, ids[6], ids[5]]);
  expect(first.rows[0]).toMatchObject({
    version: 1,
    customer: ann,
    status: "placed",
    total: { amount: 999, currency: "EUR" },
    items: 3,
  });
  const last = await list({ customer: ann, pageSize: 3, page: 3 });
  expect(last.rows.map((row: any) => row.id)).toEqual([ids[1], ids[0]]);
  expect((await list({ after: token })).total).toBe(9);
});

test("a person sees only their own orders, an administrator all", async () => {
  const { token } = place(bob, 5);
  const own = await list({ after: token }, customerAnn);
  expect(new Set(own.rows.map((row: any) => row.customer))).toEqual(new Set([ann]));
  expect((await list({ customer: bob }, customerAnn)).rows).toEqual(own.rows);
  expect((await list({ customer: bob }, admin)).rows.every((row: any) => row.customer === bob)).toBe(true);
  await expect(list({}, { id: "", roles: [] })).rejects.toMatchObject({ code: 403, type: "FORBIDDEN" });
  await expect(
    broker.call("order-views.customer", { customer: bob }, { meta: { user: customerAnn } }),
  ).rejects.toMatchObject({ code: 403 });
  await expect(broker.call("order-views.sales", {}, { meta: { user: customerAnn } })).rejects.toMatchObject({
    code: 403,
  });
});

test("a status follows its events, with the reason", async () => {
  const { id } = place(ann, 70);
  const rejected = () => metricOf(broker, orderListMetrics.orders, { status: "rejected" });
  const before = await rejected();
  const token = append(id, "order.rejected", { reason: "no stock" });
  const { rows } = await list({ customer: ann, pageSize: 1, after: token });
  expect(rows[0]).toMatchObject({ id, version: 2, status: "rejected", reason: "no stock" });
  expect(await rejected()).toBe(before! + 1);
});

test("totals of a customer and sales per minute", async () => {
  const carol = randomUUID();
  const { id } = place(carol, 250);
  append(id, "order.confirmed");
  const token = append(id, "order.shipped", { trackingId: "t" });
  await list({ after: token });
  const service = broker.getLocalService("order-views") as ProjectingService;
  await service.projection("customers").waitFor(token);
  await service.projection("sales").waitFor(token);
  expect(await broker.call("order-views.customer", { customer: carol })).toEqual({
    customer: carol,
    orders: 1,
    shipped: 1,
    spent: [{ amount: 250, currency: "EUR" }],
  });
  const { rows } = await broker.call<{ rows: any[] }, object>("order-views.sales", { limit: 5 });
  expect(rows).toEqual([
    { minute: expect.stringMatching(/:00\.000Z$/), orders: 1, revenue: { amount: 250, currency: "EUR" } },
  ]);
});

test("bad input is refused by name", async () => {
  await expect(list({ page: 0 })).rejects.toMatchObject({ code: 422 });
  await expect(list({ after: "nonsense" })).rejects.toMatchObject({ code: 422, type: "VALIDATION_ERROR" });
  const { id } = place(ann, 1);
  for (const token of [`${id}@2`, `${randomUUID()}@1`])
    await expect(list({ after: token })).rejects.toMatchObject({
      code: 422,
      type: "BAD_READ_TOKEN",
      data: { errors: [{ field: "after" }] },
    });
  await expect(list({ sort: "id" })).rejects.toMatchObject({ code: 422 });
});

test("pages by cursor neither repeat nor skip while orders are placed, also within one millisecond", async () => {
  const eve = randomUUID();
  placedAt += 1_000;
  let token = "";
  const placed = Array.from({ length: 10 }, (_, i) => {
    if (i % 2 === 1) placedAt--;
    const order = place(eve, i);
    ({ token } = order);
    return order.id;
  });
  const seen: string[] = [];
  let page = await list({ customer: eve, pageSize: 3, after: token });
  expect(page).toMatchObject({ total: 10, page: 1 });
  for (;;) {
    seen.push(...page.rows.map((row: { id: string }) => row.id));
    if (page.nextCursor === undefined) break;
    ({ token } = place(eve, 1));
    page = await list({ customer: eve, pageSize: 3, after: token, cursor: page.nextCursor });
    expect(page.page).toBeUndefined();
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.toSorted()).toEqual(placed.toSorted());
});

test("a cursor of another list is refused by name, and so is one together with a page", async () => {
  const made = (...values: unknown[]) => Buffer.from(JSON.stringify(values)).toString("base64url");
  for (const cursor of ["x", made("name,id", "a", "b"), made("-placedAt,-id", 1, true), made("-placedAt,-id", "a")])
    await expect(list({ cursor })).rejects.toMatchObject({ code: 422, data: { errors: [{ field: "cursor" }] } });
  const cursor = made("-placedAt,-id", "2026-01-01T00:00:00.000Z", "x");
  await expect(list({ cursor, page: 1 })).rejects.toMatchObject({ code: 422, data: { errors: [{ field: "page" }] } });
});

test("those who run the shop find orders of everybody by status, customer and time; a customer stays with their own", async () => {
  const viewer = { id: randomUUID(), roles: ["viewer"] };
  const from = new Date(placedAt).toISOString();
  const [first, second] = [place(ann, 5), place(bob, 6)];
  const to = new Date(placedAt).toISOString();
  place(bob, 7);
  const token = append(second.id, "order.cancelled", { reason: "CHANGED_MIND" });
  const idsOf = async (params: object, user: object = viewer): Promise<string[]> =>
    (await list({ after: token, ...params }, user)).rows.map(({ id }: any) => id);
  expect(await idsOf({ from, to })).toEqual([second.id, first.id]);
  expect(await idsOf({ from, to, status: "cancelled" }, admin)).toEqual([second.id]);
  expect(await idsOf({ from, to, customer: ann })).toEqual([first.id]);
  expect(await idsOf({ from, to }, customerAnn)).toEqual([first.id]);
  await expect(list({ status: "lost" })).rejects.toMatchObject({ code: 422 });
});
