import { expect, test } from "@jest/globals";
import type { Recorded } from "@valence/runtime/contract";
import { brokenInvariants, type Books } from "./shop-invariants.ts";

const event = (stream: string, version: number, type: string, data: object = {}): Recorded =>
  ({ eventId: `${stream}@${version}`, stream, version, type, data }) as unknown as Recorded;

const total = { amount: 1_000, currency: "EUR" };
/** A shop at rest: order `o` has shipped two mugs of ten, of which one was broken. */
const books: Books = {
  orders: [
    event("o", 1, "order.placed", { total, lines: [{ sku: "MUG", quantity: 2 }] }),
    event("o", 2, "order.shipped"),
  ],
  stock: [
    event("MUG", 1, "stock.received", { quantity: 10 }),
    event("MUG", 2, "stock.reserved", { quantity: 2 }),
    event("MUG", 3, "stock.sold", { quantity: 2 }),
    event("MUG", 4, "stock.adjusted", { quantity: -1 }),
  ],
  payments: [event("o", 1, "payment.requested"), event("o", 2, "payment.captured")],
  shipments: [event("o", 1, "shipment.created"), event("o", 2, "shipment.dispatched")],
  ledger: [{ key: "o", currency: "EUR", authorized: 1_000, captured: 1_000, voided: 0, declined: 0, refunded: 0 }],
  levels: new Map([["MUG", { available: 7, reserved: 0 }]]),
  openSagas: [],
};

test("a shop at rest breaks no invariant", () => expect(brokenInvariants(books, ["o"])).toEqual([]));

const first = books.ledger[0]!;
const refunded = [
  event("o", 3, "order.refund_requested", {
    refundId: "r",
    amount: { ...total, amount: 500 },
    items: [{ sku: "MUG", quantity: 1 }],
  }),
  event("o", 4, "order.refunded", { refundId: "r" }),
];
test("a shop that has given half of an order back, with its goods, breaks no invariant", () =>
  expect(
    brokenInvariants({
      ...books,
      orders: [...books.orders, ...refunded],
      stock: [...books.stock, event("MUG", 5, "stock.returned", { quantity: 1 })],
      payments: [...books.payments, event("o", 3, "payment.refunded")],
      ledger: [{ ...first, refunded: 500 }],
      levels: new Map([["MUG", { available: 8, reserved: 0 }]]),
    }),
  ).toEqual([]));

test.each<[string, Partial<Books>, RegExp]>([
  ["an order that has not ended", { orders: books.orders.slice(0, 1) }, /order o is placed/],
  ["an order that is gone", { orders: [] }, /acknowledged and is gone/],
  ["a saga that is stuck", { openSagas: [{ id: "checkout.o", state: "stuck", reason: "void" }] }, /is stuck: void/],
  ["a stock below zero", { stock: books.stock.slice(1) }, /below zero/],
  ["a reservation left behind", { stock: books.stock.slice(0, 2) }, /reserved by no open order/],
  ["stock sold and not shipped", { orders: [books.orders[0]!, event("o", 2, "order.cancelled")] }, /2 of MUG sold, 0/],
  ["an actor that disagrees with its log", { levels: new Map() }, /the actor says/],
  ["an order that was not charged", { ledger: [] }, /was charged 0/],
  ["an order that was charged too much", { ledger: [{ ...first, captured: 2_000 }] }, /was charged 2000/],
  ["a charge for nothing", { orders: [] }, /the provider knows o/],
  ["two captures on record", { payments: [...books.payments, event("o", 3, "payment.captured")] }, /2 captures/],
  ["a void that is still due", { payments: [event("o", 1, "payment.void_requested")] }, /rests at/],
  [
    "money held for an order that was rejected",
    {
      orders: [books.orders[0]!, event("o", 2, "order.rejected")],
      ledger: [{ ...first, captured: 0 }],
    },
    /0 charged, 1000 held/,
  ],
  ["more given back than was charged", { ledger: [{ ...first, refunded: 1_001 }] }, /1001 given back of 1000/],
  ["money given back for no refund", { ledger: [{ ...first, refunded: 1 }] }, /1 given back, 0 were due/],
  ["a refund that was not paid", { orders: [...books.orders, ...refunded] }, /0 given back, 500 were due/],
  ["a refund that has not ended", { orders: [...books.orders, refunded[0]!] }, /refund r of order o has not ended/],
  ["goods of a refund that are not back", { orders: [...books.orders, ...refunded] }, /2 of MUG sold, 1 shipped/],
  [
    "a charge for a cancelled order that was not given back",
    { orders: [books.orders[0]!, event("o", 2, "order.cancelled")] },
    /1000 charged, 0 held/,
  ],
  [
    "a provider that was asked for nothing",
    { orders: [event("o", 1, "order.placed", { total: { ...total, amount: 0 }, lines: [] }), books.orders[1]!] },
    /of nothing was asked/,
  ],
  ["an order without a shipment", { shipments: [] }, /has not left/],
  ["a hole in a stream", { shipments: [event("o", 2, "shipment.dispatched")] }, /follows version 0/],
])("tells of %s", (_what, change, message) =>
  expect(brokenInvariants({ ...books, ...change }, ["o"]).join("\n")).toMatch(message),
);
