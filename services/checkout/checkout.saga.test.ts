import { expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import {
  abandoned,
  done,
  forced,
  given,
  refused,
  GIVEN_ID as id,
  started,
  told,
  undone,
  undoRefused,
} from "@valence/runtime/saga";
import type { EventData } from "@valence/runtime/contract";
// Imported, so that `given` checks the params of every call against them.
import "../inventory/contract.ts";
import "../orders/contract.ts";
import "../payments/contract.ts";
import "../shipping/contract.ts";
import { Checkout, itemsOf } from "./checkout.saga.ts";

const eur = (amount: number) => ({ amount, currency: "EUR" });
const line = (sku: string, quantity: number) => ({
  productId: "0190f5c2-7a3e-7c11-9d5e-2b6f1a8c4d02",
  sku,
  name: sku,
  quantity,
  unitPrice: eur(500),
});
const address = { name: "Ada", line1: "1 Main Street", city: "London", postalCode: "N1", country: "GB" };
const placed = started("order.placed", {
  customer: "0190f5c2-7a3e-7c11-9d5e-2b6f1a8c4d01",
  lines: [line("MUG", 1), line("POT", 1), line("MUG", 2)],
  total: eur(2_000),
  shippingAddress: address,
  payment: { method: "card", token: "tok_ok" },
  fromCart: false,
  placedAt: "2026-01-01T00:00:00.000Z",
});
const mugs = { id: "MUG", orderId: id, quantity: 3 };
const pots = { id: "POT", orderId: id, quantity: 1 };
const authorization = { id, amount: eur(2_000), token: "tok_ok" };
const reserved = [placed, done("reserve", {}, {}), done("markReserved", {})];
const authorized = [...reserved, done("authorize", { paymentId: "pay-1", status: "authorized" })];
const paid = [...authorized, done("markPaid", {})];
const pending = [...reserved, done("authorize", { paymentId: "pay-1", status: "pending" })];
const confirmed = [...paid, done("confirm", {})];

test("reserves each SKU once, whatever the lines repeat", () => {
  given(Checkout, placed).calls("inventory.reserve", mugs, pots);
  given(Checkout, placed).commandIds(`saga:checkout.${id}/reserve/1/0`, `saga:checkout.${id}/reserve/1/1`);
});

test("completes an order step by step", () => {
  given(Checkout, placed, done("reserve", {}, {})).calls("orders.markReserved", { id });
  given(Checkout, ...reserved).calls("payments.authorize", authorization);
  given(Checkout, ...authorized).calls("orders.markPaid", {
    id,
    paymentId: "pay-1",
  });
  given(Checkout, ...paid).calls("orders.confirm", { id });
  given(Checkout, ...confirmed).calls("payments.capture", { id });
  given(Checkout, ...confirmed, done("capture", {})).calls("inventory.commit", mugs, pots);
  const sold = [...confirmed, done("capture", {}), done("commit", {}, {})];
  given(Checkout, ...sold).calls("shipping.create", {
    id,
    address,
    items: [
      { sku: "MUG", quantity: 3 },
      { sku: "POT", quantity: 1 },
    ],
  });
  given(Checkout, ...sold, done("ship", {})).isCompleted();
});

test("out of stock: what was reserved is released, and the order is told why", () => {
  const short = [placed, refused("reserve", "OUT_OF_STOCK", 1)];
  given(Checkout, ...short).compensates("inventory.release", mugs);
  const why = { id, reason: "OUT_OF_STOCK", outOfStock: ["POT"] };
  given(Checkout, ...short, undone("reserve")).compensates("orders.rejectFor", why);
  given(Checkout, ...short, undone("reserve"), told()).isCompensated();
});

test("declined: nothing to void, the stock is released", () => {
  const declined = [...reserved, refused("authorize", "PAYMENT_DECLINED")];
  given(Checkout, ...declined).compensates("inventory.release", mugs, pots);
  const why = { id, reason: "PAYMENT_DECLINED", outOfStock: [] };
  given(Checkout, ...declined, undone("reserve")).compensates("orders.rejectFor", why);
});

test("cancelled while it is paid: the authorization is voided, then the stock released", () => {
  const cancelled = [...paid, refused("confirm", "ORDER_CANCELLED")];
  given(Checkout, ...cancelled).compensates("payments.void", { id, amount: eur(2_000) });
  given(Checkout, ...cancelled, undone("authorize")).compensates("inventory.release", mugs, pots);
});

test("an authorization without an answer is repeated for 30 s, then abandoned and voided", () => {
  given(Checkout, ...reserved)
    .afterTrouble(29_000)
    .calls("payments.authorize", authorization);
  given(Checkout, ...reserved)
    .afterTrouble(31_000)
    .compensates("payments.abandon", { id, commandId: `saga:checkout.${id}/authorize/1` });
});

test("once confirmed it only goes forward: a refusal parks it for an operator", () => {
  given(Checkout, ...confirmed, refused("capture", "PAYMENT_VOIDED")).isStuck(/PAYMENT_VOIDED/);
  given(Checkout, ...confirmed)
    .afterTrouble(60_000)
    .calls("payments.capture", { id });
});

test("a payment that is pending, or held, is waited for without end: the payment itself has a deadline", () => {
  given(Checkout, ...pending)
    .afterTrouble(20 * 86_400_000)
    .calls("payments.settle", { id });
  given(Checkout, ...pending, done("settle", {})).calls("orders.markPaid", { id, paymentId: "pay-1" });
  given(Checkout, ...reserved, done("authorize", { paymentId: "pay-1", status: "requested" })).calls(
    "payments.settle",
    { id },
  );
  given(Checkout, ...pending, refused("settle", "PAYMENT_EXPIRED")).compensates("payments.void", {
    id,
    amount: eur(2_000),
  });
});

test("taken back by an operator past its pivot: money, order and stock go back, in that order", () => {
  const takenBack = [...confirmed, refused("capture", "PAYMENT_VOIDED"), forced()];
  given(Checkout, ...takenBack).compensates("payments.giveBack", { id });
  const back = [...takenBack, undone("capture")];
  given(Checkout, ...back).compensates("orders.withdraw", { id });
  given(Checkout, ...back, undone("confirm")).compensates("payments.void", { id, amount: eur(2_000) });
  const free = [...back, undone("confirm"), undone("authorize")];
  given(Checkout, ...free).compensates("inventory.release", mugs, pots);
  given(Checkout, ...free, undone("reserve"), told()).isCompensated();
});

test("taken back once its stock is sold: what was sold comes back, what was not is released", () => {
  const sold = [...confirmed, done("capture", {}), done("commit", {}, {})];
  given(Checkout, ...sold, refused("ship", "SHIPMENT_NOT_FOUND"), forced()).compensates(
    "inventory.takeBack",
    { ...mugs, wasSold: true },
    { ...pots, wasSold: true },
  );
});

test("goods that have left cannot be taken back: it is parked again", () => {
  const shipped = [...confirmed, done("capture", {}), done("commit", {}, {}), forced(), abandoned("ship", true, {})];
  given(Checkout, ...shipped).isStuck(/step ship is done, and cannot be taken back/);
});

test("a void that is refused parks it: money may have moved", () =>
  given(Checkout, ...paid, refused("confirm", "ORDER_CANCELLED"), undoRefused("authorize", "PAYMENT_CAPTURED")).isStuck(
    /PAYMENT_CAPTURED/,
  ));

test("understands the golden sample of the event that starts it", () => {
  const sample = new URL("../orders/events/order.placed.v1.json", import.meta.url);
  const data = JSON.parse(readFileSync(sample, "utf8")) as EventData<"order.placed">;
  const { sku, quantity } = data.lines[0]!;
  given(Checkout, started("order.placed", data)).calls("inventory.reserve", { id: sku, orderId: id, quantity });
});

test("items are merged by SKU, in the order of the lines", () =>
  expect(itemsOf([line("B", 1), line("A", 2), line("B", 3)])).toEqual([
    { sku: "B", quantity: 4 },
    { sku: "A", quantity: 2 },
  ]));
