// The read models of orders, made from Kafka's topic alone by somebody who has no access to the store, are those of the store.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import type { ProjectingService } from "@valence/runtime/projection/mixin";
import type { LogEvent, LogPage, ReadLog } from "@valence/runtime/stream";
import { until } from "@valence/runtime/testing";
import { startBroker } from "@valence/runtime/testing/broker";
import { Kafka, newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { fromKafka, readCloudEvent } from "../../../mixins/stream/cloud-events.ts";
import { Customers } from "../../../services/order-views/customers.projection.ts";
import { OrderList } from "../../../services/order-views/order-list.projection.ts";
import orderViews from "../../../services/order-views/order-views.service.ts";
import { Sales } from "../../../services/order-views/sales.projection.ts";
import orders from "../../../services/orders/orders.service.ts";
import { orderOf, Shop } from "../support/shop.ts";

const TOKENS = ["tok_ok", "tok_ok", "tok_declined"];
const ORDERS = 9;
const ENDS = ["shipped", "rejected", "cancelled"];
const PAGE = 1_000;
const PROJECTIONS = [OrderList, Customers, Sales];

const isAsked = process.env["KAFKA"] === "all";
// It starts a Kafka and a shop: `npm run test:kafka` tries it.
const tryIt = isAsked ? test : test.skip;

let kafka: Kafka;
let databases: Databases;
let shop: Shop;
beforeAll(async () => {
  if (!isAsked) return;
  kafka = await Kafka.start();
  databases = await newDatabases();
  shop = await Shop.start({ ...databases.env, KAFKA_BROKERS: kafka.servers, NAMESPACE: "shop" });
});
afterAll(async () => {
  await shop?.stop();
  await databases?.remove();
  await kafka?.stop();
});

/** Orders of several customers that come to different ends. */
async function placeOrders(): Promise<void> {
  const tokens = await Promise.all(["ada", "bob"].map(name => shop.customer(name)));
  const { rows } = (await shop.request("GET", "/api/v1/products")).body;
  const open = new Map<string, string>();
  for (let i = 0; i < ORDERS; i++) {
    const token = tokens[i % 2]!;
    const body = orderOf([{ productId: rows[i % 3].id, quantity: 1 + (i % 2) }], TOKENS[i % 3]);
    const { status, body: placed } = await shop.request("POST", "/api/v1/orders", { body, token });
    expect(status).toBe(201);
    open.set(placed.id, token);
  }
  await until("all orders have ended", async () => {
    for (const [id, token] of open) {
      const { body } = await shop.request("GET", `/api/v1/orders/${id}`, { token });
      if (!ENDS.includes(body.status)) return false;
      open.delete(id);
    }
    return true;
  });
}

/** Every event of the topic once, in the order in which its partitions are read. */
async function eventsInKafka(topic: string): Promise<LogEvent[]> {
  const events = (await kafka.consume(topic)).map(
    ({ headers = {}, value }) => readCloudEvent(fromKafka(headers, value))!.event,
  );
  return [...new Map(events.map(event => [event.eventId, event])).values()];
}

/** What the shop has stored, with the rows that its own read models have of it. */
async function stored(): Promise<{ events: LogEvent[]; rows: object }> {
  const { broker, stop } = await startBroker([orders, orderViews], databases.env);
  try {
    const events: LogEvent[] = [];
    for (let cursor = "", page: LogPage | undefined; page?.events.length !== 0; cursor = page.cursor) {
      page = await broker.call<LogPage, ReadLog>("orders.readLog", { cursor, limit: PAGE });
      events.push(...page.events);
    }
    return { events, rows: await rowsOf(broker.getLocalService("order-views") as ProjectingService) };
  } finally {
    await stop();
  }
}

/** The rows of the read models, built from nothing but these events. */
async function rebuilt(events: readonly LogEvent[]): Promise<object> {
  const owner: ServiceSchema = {
    name: "orders",
    metadata: { actor: "order", events: Object.fromEntries(Object.keys(OrderList.on).map(type => [type, 1])) },
    actions: {
      readLog({ params: { cursor, limit, stream } }: { params: ReadLog }) {
        if (stream)
          return { events: events.filter(event => event.stream === stream.id && event.version >= stream.from) };
        const from = Number(cursor);
        const page = events.slice(from, from + limit);
        return { events: page, cursor: `${from + page.length || ""}`, behind: events.length - from };
      },
    },
  };
  const { broker, stop } = await startBroker([owner, orderViews]);
  try {
    return await rowsOf(broker.getLocalService("order-views") as ProjectingService);
  } finally {
    await stop();
  }
}

/** Every row of every table, once all events are in them. */
async function rowsOf(service: ProjectingService): Promise<object> {
  await until(
    () => service.broker.call<{ projections: any[] }>("order-views.projections"),
    ({ projections }) => projections.every(({ lagEvents, events }) => lagEvents === 0 && events > 0),
  );
  const tables = PROJECTIONS.flatMap(({ name, tables }) => Object.keys(tables).map(table => [name, table] as const));
  const rows = await Promise.all(
    tables.map(async ([name, table]) => {
      const all: object[] = await service.projection(name).table(table);
      return [`${name}.${table}`, all.map(row => JSON.stringify(row)).sort()] as const;
    }),
  );
  return Object.fromEntries(rows);
}

tryIt(
  "the read models rebuilt from the topic equal those rebuilt from the store, and those of the running shop",
  async () => {
    await placeOrders();
    await until("everything is published", async () => (await eventsInKafka("shop.orders")).length > ORDERS);
    expect(await shop.child.end("SIGTERM")).toBe(0);
    const { events, rows } = await stored();
    const published = await eventsInKafka("shop.orders");
    expect(published.map(({ eventId }) => eventId).sort()).toEqual(events.map(({ eventId }) => eventId).sort());
    expect(JSON.stringify(published)).not.toContain("tok_");
    const fromStore = await rebuilt(events);
    expect(await rebuilt(published)).toEqual(fromStore);
    expect(rows).toEqual(fromStore);
    expect(fromStore).toMatchObject({ "order-list.orders": { length: ORDERS } });
  },
  180_000,
);
