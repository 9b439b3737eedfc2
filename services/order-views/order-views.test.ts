import { describe, expect, test } from "@jest/globals";
import { readFile } from "node:fs/promises";
import { given, type GivenEvent } from "@valence/runtime/projection";
import { Customers } from "./customers.projection.ts";
import { OrderList } from "./order-list.projection.ts";
import { Sales } from "./sales.projection.ts";

/** The golden samples of `orders`: released events stay readable. */
const sample = async (type: string): Promise<any> =>
  JSON.parse(await readFile(new URL(`../orders/events/${type}.v1.json`, import.meta.url), "utf8"));
const placed = await sample("order.placed");
const event = async (type: GivenEvent["type"], stream = "1", at = "2026-01-01T10:00:30.000Z"): Promise<GivenEvent> =>
  ({ type, stream, at, data: await sample(type) }) as GivenEvent;
const happy = ["order.placed", "order.stock_reserved", "order.paid", "order.confirmed", "order.shipped"] as const;

describe("the order list", () => {
  test("has one row an order, with its last status", async () => {
    const events = await Promise.all(happy.map(type => event(type)));
    const { orders } = await given(OrderList, ...events);
    expect(orders).toEqual([
      {
        id: "1",
        version: 5,
        customer: placed.customer,
        status: "shipped",
        amount: placed.total.amount,
        currency: placed.total.currency,
        items: 2,
        placedAt: placed.placedAt,
        updatedAt: "2026-01-01T10:00:30.000Z",
      },
    ]);
  });

  test("knows how many orders there are in each status now", async () => {
    const second = await Promise.all(happy.slice(0, 3).map(type => event(type, "2")));
    const events = await Promise.all(happy.map(type => event(type)));
    const { statuses } = await given(OrderList, ...events, ...second, await event("order.placed", "3"));
    const some = statuses.filter(({ orders }) => orders !== 0);
    expect(Object.fromEntries(some.map(({ status, orders }) => [status, orders]))).toEqual({
      shipped: 1,
      paid: 1,
      placed: 1,
    });
  });

  test.each(["order.rejected", "order.cancelled"] as const)("says why after %s", async type => {
    const last = await event(type);
    const { orders } = await given(OrderList, await event("order.placed"), last);
    expect(orders[0]).toMatchObject({ status: type.split(".")[1], reason: (last.data as { reason: string }).reason });
  });
});

const inYen = async (stream: string): Promise<GivenEvent> => ({
  type: "order.placed",
  stream,
  data: { ...placed, total: { amount: 7, currency: "JPY" } },
});

test("a customer's totals count orders placed and shipped, and the money of those confirmed by currency", async () => {
  const events = await Promise.all([
    ...happy.map(type => event(type, "1")),
    event("order.placed", "2"),
    event("order.confirmed", "2"),
    event("order.placed", "3"),
    event("order.rejected", "3"),
    inYen("4"),
    event("order.confirmed", "4"),
  ]);
  const { customers } = await given(Customers, ...events);
  const { amount, currency } = placed.total;
  expect(customers).toEqual([
    { customer: placed.customer, orders: 4, shipped: 1, spent: { [currency]: 2 * amount, JPY: 7 } },
  ]);
});

test("sales count confirmed orders in the minute of their confirmation, each currency by itself", async () => {
  const { minutes, open } = await given(
    Sales,
    await event("order.placed", "1"),
    await event("order.placed", "2"),
    await event("order.placed", "3"),
    await event("order.confirmed", "1", "2026-01-01T10:00:59.999Z"),
    await event("order.confirmed", "2", "2026-01-01T10:01:00.000Z"),
    await inYen("4"),
    await event("order.confirmed", "4", "2026-01-01T10:01:10.000Z"),
    await event("order.cancelled", "3"),
  );
  const { amount, currency } = placed.total;
  const row = (minute: string, amount: number, currency: string) => ({
    id: `${minute} ${currency}`,
    minute,
    currency,
    orders: 1,
    amount,
  });
  expect(minutes).toEqual([
    row("2026-01-01T10:00:00.000Z", amount, currency),
    row("2026-01-01T10:01:00.000Z", amount, currency),
    row("2026-01-01T10:01:00.000Z", 7, "JPY"),
  ]);
  expect(open).toEqual([]);
});
