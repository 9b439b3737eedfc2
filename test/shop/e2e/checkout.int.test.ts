// An order's way through all services, and every way back.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { readdirSync } from "node:fs";
import { newId } from "@valence/runtime/kernel";
import { scrape } from "@valence/runtime/metrics";
import { declaredIn } from "../../../mixins/cli/declared.ts";
import carts from "../../../services/carts/carts.service.ts";
import catalog from "../../../services/catalog/catalog.service.ts";
import { seedProducts } from "../../../services/catalog/products.seed.ts";
import checkout from "../../../services/checkout/checkout.service.ts";
import inventory from "../../../services/inventory/inventory.service.ts";
import { orderMetrics } from "../../../services/orders/metrics.ts";
import orders from "../../../services/orders/orders.service.ts";
import payments from "../../../services/payments/payments.service.ts";
import type { LedgerEntry } from "../../../services/payments/provider/provider.ts";
import paymentProvider from "../../../services/payments/provider/provider.service.ts";
import shipping from "../../../services/shipping/shipping.service.ts";
import { until } from "@valence/runtime/testing";
import { metricOf, startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import { invariantsBrokenAtRest } from "../support/shop-invariants.ts";
import { ADDRESS } from "../support/shop.ts";

let shop: TestBroker;
let providerUrl: string;
/** Stock: 1,000 of each SKU, two of the last one. */
let products: { id: string; sku: string; price: { amount: number; currency: string } }[];
let customer: string;

beforeAll(async () => {
  const services = [catalog, carts, orders, inventory, paymentProvider, payments, shipping, checkout];
  shop = await startBroker(services);
  await shop.call("catalog.seed", { products: seedProducts.slice(0, 4) });
  products = (await shop.call("catalog.list", {})).rows;
  for (const [i, { sku }] of products.entries())
    await shop.call("inventory.receive", { id: sku, quantity: i === 3 ? 2 : 1_000 });
  ({ url: providerUrl } = await shop.call("payment-provider.url", {}));
});
afterAll(() => shop.stop());
beforeEach(() => {
  customer = newId();
});

async function place(token: string, ...lines: [product: number, quantity: number][]): Promise<string> {
  const id = newId();
  await shop.call("orders.place", {
    id,
    customer,
    lines: lines.map(([product, quantity]) => ({ productId: products[product]!.id, quantity })),
    shippingAddress: ADDRESS,
    payment: { method: "card", token },
  });
  return id;
}
const view = (id: string) => shop.call("orders.view", { id });
const becomes = (id: string, status: string) =>
  until(`order ${id} is ${status}`, async () => (await view(id)).status === status);
const level = (product: number) => shop.call("inventory.level", { sku: products[product]!.sku });
const compensated = (id: string) =>
  until(`the saga of ${id} is compensated`, async () => {
    const saga = await shop.broker.call<{ state: string }, object>("checkout.saga", { id: `checkout.${id}` });
    return saga.state === "compensated";
  });
async function inLedger(id: string): Promise<LedgerEntry | undefined> {
  const response = await fetch(`${providerUrl}/ledger`);
  return ((await response.json()) as { entries: LedgerEntry[] }).entries.find(({ key }) => key === id);
}

describe("metrics", () => {
  /**
   * Here is one process with SQLite: no audit, list of orders, gateway, network before one, webhooks, Redis, bus, other node, JetStream, collector, replica or supervisor; and it is too young for
   * the doctor.
   */
  const ABSENT =
    /^valence_(audit|cdn|clock_skew|http|mails|certificate|redis|bus_(connected|nodes|requests|refused)|relay|carrier|trace|workers|circuits|call_retries|doctor|database_(replica|oldest)|ingress|webhooks?)_?|^valence_cacher|_gc_|valence_orders(_refund|$)/;

  test("each that is declared has a value after use, and none is there that is not declared", async () => {
    const id = await place("tok_ok", [0, 1]);
    await becomes(id, "shipped");
    await becomes(await place("tok_declined", [0, 1]), "rejected");
    await expect(shop.call("orders.cancel", { id, customer })).rejects.toMatchObject({ type: "ORDER_CONFIRMED" });
    const { metrics } = await declaredIn("services", readdirSync("services"));
    const declared = metrics.flatMap(catalogue => Object.values(catalogue.metrics));
    // The first scrape is measured itself.
    await scrape(shop.broker, undefined);
    const { text } = (await scrape(shop.broker, undefined))!;
    const found = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!);
    const names = declared.map(({ name }) => name);
    expect(found.filter(name => !names.includes(name))).toEqual([]);
    expect(names.filter(name => !found.includes(name) && !ABSENT.test(name))).toEqual([]);
    expect(found.filter(name => name.startsWith("moleculer"))).toEqual([]);
    // Neither ids nor texts of clients: each value is short, and of few kinds.
    expect(text).not.toMatch(/[\da-f]{8}-[\da-f]{4}-/);
  });

  test("orders and their revenue are counted once, by what has become of them", async () => {
    const counts = async () => ({
      confirmed: (await metricOf(shop.broker, orderMetrics.orders, { status: "confirmed" })) ?? 0,
      rejected: (await metricOf(shop.broker, orderMetrics.rejected, { reason: "PAYMENT_DECLINED" })) ?? 0,
      revenue: (await metricOf(shop.broker, orderMetrics.revenue, { currency: products[0]!.price.currency })) ?? 0,
    });
    const before = await counts();
    await becomes(await place("tok_ok", [0, 2]), "shipped");
    await becomes(await place("tok_declined", [0, 1]), "rejected");
    const after = await counts();
    expect([after.confirmed - before.confirmed, after.rejected - before.rejected]).toEqual([1, 1]);
    expect(after.revenue - before.revenue).toBe(2 * products[0]!.price.amount);
  });
});

test("an order is reserved, paid, confirmed and shipped", async () => {
  const before = await level(0);
  const id = await place("tok_ok", [0, 2], [1, 1], [0, 1]);
  await becomes(id, "shipped");
  const total = 3 * products[0]!.price.amount + products[1]!.price.amount;
  const { events } = await shop.call("orders.timeline", { id });
  expect(events.map(({ type }) => type)).toEqual([
    "order.placed",
    "order.stock_reserved",
    "order.paid",
    "order.confirmed",
    "order.shipped",
  ]);
  expect(await view(id)).toMatchObject({ total: { amount: total }, trackingId: expect.any(String) });
  expect(await inLedger(id)).toMatchObject({ authorized: total, captured: total });
  expect(await level(0)).toMatchObject({ available: before.available - 3, reserved: 0 });
});

test("a declined card: the order is rejected, its stock released, nothing charged", async () => {
  const before = await level(0);
  const id = await place("tok_declined", [0, 5]);
  await becomes(id, "rejected");
  expect(await view(id)).toMatchObject({ reason: "PAYMENT_DECLINED" });
  expect(await level(0)).toEqual(before);
  expect(await inLedger(id)).toMatchObject({ authorized: 0, captured: 0 });
});

test("not enough stock: the order is rejected, what was reserved of other SKUs is released, nothing is charged", async () => {
  const before = await level(0);
  const id = await place("tok_ok", [0, 5], [3, 3]);
  await becomes(id, "rejected");
  expect(await view(id)).toMatchObject({ reason: "OUT_OF_STOCK" });
  expect(await level(0)).toEqual(before);
  expect(await level(3)).toMatchObject({ available: 2, reserved: 0 });
  expect(await inLedger(id)).toBeUndefined();
});

test("every SKU that was out of stock is named, and only those", async () => {
  const none = await shop.call("catalog.create", {
    sku: "NEVER-1",
    name: "Never in stock",
    description: "",
    price: { amount: 100, currency: "EUR" },
    category: "x",
  });
  const wanted = [products[0]!.id, products[3]!.id, none.id].map(productId => ({ productId, quantity: 3 }));
  const id = newId();
  const payment = { method: "card", token: "tok_ok" } as const;
  await shop.call("orders.place", { id, customer, lines: wanted, shippingAddress: ADDRESS, payment });
  await becomes(id, "rejected");
  const outOfStock = [products[3]!.sku, "NEVER-1"];
  expect(await view(id)).toMatchObject({ reason: "OUT_OF_STOCK", outOfStock });
  const { events } = await shop.call("orders.timeline", { id });
  expect(events.at(-1)).toMatchObject({ type: "order.rejected", data: { reason: "OUT_OF_STOCK", outOfStock } });
});

test("cancelled before it is confirmed: the stock is released, nothing captured", async () => {
  const before = await level(0);
  // The provider takes three seconds: time to cancel.
  const id = await place("tok_slow", [0, 4]);
  await becomes(id, "stock_reserved");
  expect(await level(0)).toMatchObject({ reserved: 4 });
  expect(await shop.call("orders.cancel", { id, customer })).toMatchObject({ status: "cancelled" });
  await compensated(id);
  expect(await view(id)).toMatchObject({ status: "cancelled" });
  expect(await level(0)).toEqual(before);
  const { authorized, voided, captured } = (await inLedger(id))!;
  expect({ held: authorized - voided, captured }).toEqual({ held: 0, captured: 0 });
});

test("once confirmed it cannot be cancelled", async () => {
  const id = await place("tok_ok", [0, 1]);
  await becomes(id, "shipped");
  await expect(shop.call("orders.cancel", { id, customer })).rejects.toMatchObject({
    type: "ORDER_CONFIRMED",
    code: 409,
  });
});

test("a flaky provider charges each order that ships once, and no other", async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => place("tok_flaky", [2, 1])));
  const statusOf = async (id: string) => (await view(id)).status;
  // Half of the answers fail: rarely an order gets none in the 30 s that its authorization may take.
  await until(
    "all have ended",
    async () => (await Promise.all(ids.map(statusOf))).every(status => ["shipped", "rejected"].includes(status)),
    80_000,
  );
  for (const id of ids) {
    const captured = (await statusOf(id)) === "shipped" ? products[2]!.price.amount : 0;
    expect((await inLedger(id))?.captured ?? 0).toBe(captured);
  }
  expect((await Promise.all(ids.map(statusOf))).filter(status => status === "shipped").length).toBeGreaterThan(10);
}, 90_000);

test("many orders for the last two pieces: two ship, the others are rejected", async () => {
  const ids = await Promise.all(Array.from({ length: 10 }, () => place("tok_ok", [3, 1])));
  await until("all have ended", async () => {
    const ended = await Promise.all(ids.map(async id => ["shipped", "rejected"].includes((await view(id)).status)));
    return ended.every(Boolean);
  });
  const statuses = await Promise.all(ids.map(async id => (await view(id)).status));
  expect(statuses.filter(status => status === "shipped")).toHaveLength(2);
});

test("at rest, no invariant of the shop is broken", async () =>
  expect(await invariantsBrokenAtRest(shop.call, providerUrl)).toEqual([]));
