import { describe, expect, test } from "@jest/globals";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MAILED, type Mailed } from "./contract.ts";
import { moneyText, orderLetter, type Order } from "./order-letters.ts";

const EVENTS = join(import.meta.dirname, "../orders/events");
const read = (name: string) => JSON.parse(readFileSync(join(EVENTS, name), "utf8"));

const order: Order = {
  status: "placed",
  customer: "0190a0b0-0000-7000-8000-000000000001",
  lines: [
    {
      productId: "p1",
      sku: "MUG-1",
      name: "Harbour <mug>",
      quantity: 2,
      unitPrice: { amount: 1_250, currency: "EUR" },
    },
    { productId: "p2", sku: "CUP-1", name: "Cup", quantity: 1, unitPrice: { amount: 500, currency: "EUR" } },
  ],
  total: { amount: 3_000, currency: "EUR" },
  placedAt: "2026-01-01T10:00:00.000Z",
};
const told = { orderId: "order-1", order, site: "shop.example", name: "Ada <b>L</b>" };

describe.each(MAILED)("the letter about %s", kind => {
  test("names the order, greets its customer, and keeps markup text in HTML", () => {
    const { subject, text, html } = orderLetter(kind, told);
    expect(subject).toMatch(/^Your order order-1 /);
    expect(text).toContain("Hello Ada <b>L</b>,\n\n");
    expect(text).toContain("your order at shop.example");
    expect(html).toContain("<p>Hello Ada &#60;b&#62;L&#60;/b&#62;,</p>");
    expect(html).not.toMatch(/<b>|<mug>/);
  });

  test("greets nobody by name where the mailbox may be somebody else's, nor repeats their words", () => {
    const { text, html } = orderLetter(kind, {
      ...told,
      name: undefined,
      order: { ...order, reason: "buy gold at http://gold.example" },
    });
    expect(text).toMatch(/^Hello,\n/);
    expect(text + html).not.toContain("gold");
  });

  test.each(globSync(`${kind}.*.json`, { cwd: EVENTS }))("can be written of the golden sample %s", name => {
    const placed = read("order.placed.v1.least.json");
    const state = { ...placed, ...read(name), status: kind.split(".")[1] } as Order;
    expect(orderLetter(kind, { ...told, site: undefined, order: state }).text).toContain("Order: order-1");
  });
});

const textOf = (kind: Mailed, more: Partial<Order> = {}) =>
  orderLetter(kind, { ...told, order: { ...order, ...more } }).text;

test("a placed order is told with its lines and their sum", () => {
  expect(textOf("order.placed")).toContain("2 × Harbour <mug>: €25.00\n1 × Cup: €5.00\nTotal: €30.00");
});

test("a shipped order has its tracking number, a cancelled one its reason", () => {
  expect(textOf("order.shipped", { trackingId: "track-1" })).toContain("Tracking number: track-1");
  expect(textOf("order.cancelled", { reason: "taken back by the shop" })).toContain("Reason: taken back by the shop");
});

test("a rejected order says what was out of stock, or that the payment was not accepted", () => {
  const short = textOf("order.rejected", { reason: "OUT_OF_STOCK", outOfStock: ["CUP-1"] });
  expect(short).toContain("Out of stock: Cup");
  expect(short).not.toMatch(/mug|OUT_OF_STOCK/);
  expect(textOf("order.rejected", { reason: "PAYMENT_DECLINED" })).toMatch(/Your payment\nwas not accepted\./);
});

test("money has as many digits as its currency", () => {
  expect([
    moneyText({ amount: 1_250, currency: "EUR" }),
    moneyText({ amount: 1_250, currency: "JPY" }),
    moneyText({ amount: 1_250, currency: "KWD" }),
  ]).toEqual(["€12.50", "¥1,250", expect.stringMatching(/^KWD\s1\.250$/)]);
});
