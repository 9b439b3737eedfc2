import { describe, expect, test } from "@jest/globals";
import { Refusal } from "@valence/runtime/kernel";
import { decide, decisionOf, evolveAll, given, GIVEN_NOW, type EventOf } from "@valence/runtime/actor";
import { checkGolden } from "@valence/runtime/testing";
import { contract } from "./contract.ts";
import { limits, Order, type Offer } from "./order.ts";

const { event } = contract;
const customer = "0190f5c2-7a3e-7c11-9d5e-2b6f1a8c4d01";
const stranger = "0190f5c2-7a3e-7c11-9d5e-2b6f1a8c4d99";
const mug = "0190f5c2-7a3e-7c11-9d5e-2b6f1a8c4d02";
const pot = "0190f5c2-7a3e-7c11-9d5e-2b6f1a8c4d03";
const shippingAddress = { name: "Ada", line1: "1 Main Street", city: "London", postalCode: "N1", country: "GB" };
const payment = { method: "card" as const, token: "tok_ok" };
const placing = { customer, shippingAddress, payment };
const eur = (amount: number) => ({ amount, currency: "EUR" });
const line = (productId: string, quantity: number, unitPrice = eur(1_250)) => ({
  productId,
  sku: `SKU-${productId.slice(-2)}`,
  name: "Enamel mug",
  quantity,
  unitPrice,
});
const lines = [line(mug, 2)];
const wanted = [{ productId: mug, quantity: 2 }];
const placed = event("order.placed", {
  ...placing,
  lines,
  total: eur(2_500),
  fromCart: false,
  placedAt: GIVEN_NOW,
});
const reserved = event("order.stock_reserved", {});
const paid = event("order.paid", { paymentId: "pay-1" });
const confirmed = event("order.confirmed", {});
const shipped = event("order.shipped", { trackingId: "track-1" });
const rejected = event("order.rejected", { reason: "OUT_OF_STOCK" });
const cancelled = event("order.cancelled", { reason: "cancelled by the customer" });

test("golden samples decode, fold and give the golden snapshot", () => checkGolden(Order, import.meta.dirname));

test("is placed at the catalog's prices", () => {
  const placement = given(Order).when("place", { ...placing, lines: wanted }, { lines });
  placement.yields(placed);
  placement.replies({ status: "placed", total: eur(2_500), lines, placedAt: GIVEN_NOW });
});

test("the payment's token is in no state", () =>
  expect(JSON.stringify(evolveAll(Order, Order.initial(), [placed]))).not.toContain(payment.token));

test("is placed once", () =>
  given(Order, placed)
    .when("place", { ...placing, lines: wanted }, { lines: [] })
    .refuses("ORDER_EXISTS"));

test("refuses neither lines nor cart, and both", () => {
  given(Order).when("place", placing, { lines: [] }).refuses("LINES_OR_CART", "lines");
  given(Order)
    .when("place", { ...placing, fromCart: false }, { lines: [] })
    .refuses("LINES_OR_CART");
  given(Order)
    .when("place", { ...placing, fromCart: true, lines: wanted }, { lines: [] })
    .refuses("LINES_OR_CART");
});

test("refuses an empty cart, two currencies and a total past the bound", () => {
  given(Order)
    .when("place", { ...placing, fromCart: true }, { lines: [] })
    .refuses("CART_EMPTY", "fromCart");
  given(Order)
    .when(
      "place",
      { ...placing, lines: [mug, mug, pot].map(productId => ({ productId, quantity: 1 })) },
      { lines: [line(mug, 2), line(pot, 1, { amount: 1, currency: "USD" })] },
    )
    .refuses("MIXED_CURRENCIES", "lines.2");
  given(Order)
    .when("place", { ...placing, lines: wanted }, { lines: [line(mug, 2, eur(limits.totalMax))] })
    .refuses("TOTAL_TOO_LARGE", "lines");
});

const refusalOf = (params: object, offer: Offer): Refusal => {
  try {
    decide(Order, Order.initial(), "place", { ...placing, ...params }, decisionOf("order-1", GIVEN_NOW, String), offer);
  } catch (error) {
    return error as Refusal;
  }
  throw new Error("was not refused");
};
const fieldsIn = ({ data }: Refusal) => data.errors?.map(({ field }) => field);

test("the bound on a product's pieces is one on what is ordered, however many lines it comes in", () => {
  const asked = { lines: [mug, pot, mug].map(productId => ({ productId, quantity: 600 })) };
  const refusal = refusalOf(asked, { lines: [line(mug, 1_200), line(pot, 600)] });
  expect(refusal).toMatchObject({ type: "QUANTITY_TOO_LARGE", code: 422 });
  expect(fieldsIn(refusal)).toEqual(["lines.0.quantity", "lines.2.quantity"]);
  const total = { amount: 1_000 * 1_250, currency: "EUR" };
  given(Order)
    .when("place", { ...placing, lines: wanted }, { lines: [line(mug, limits.quantityMax)] })
    .replies({ status: "placed", total, lines: [line(mug, 1_000)], placedAt: GIVEN_NOW });
  const ofCart = refusalOf({ fromCart: true }, { lines: [line(mug, 1), line(pot, 1_001)], cartVersion: 1 });
  expect(fieldsIn(ofCart)).toEqual(["items.1.quantity"]);
});

test("every line in another currency is named, those of the cart by its items", () => {
  const dollars = { amount: 1, currency: "USD" };
  const offer = { lines: [line(mug, 1), line(pot, 1, dollars), line(customer, 1, dollars)], cartVersion: 1 };
  expect(fieldsIn(refusalOf({ fromCart: true }, offer))).toEqual(["items.1", "items.2"]);
});

test("dearer than the customer has seen is refused with the new total; cheaper is not", () => {
  const place = (expectedTotal: { amount: number; currency: string }) => ({
    ...placing,
    lines: wanted,
    expectedTotal,
  });
  const refusal = refusalOf(place(eur(2_499)), { lines });
  expect(refusal).toMatchObject({ type: "PRICE_CHANGED", code: 409, data: { members: { total: eur(2_500) } } });
  expect(fieldsIn(refusal)).toEqual(["expectedTotal"]);
  expect(refusalOf(place({ amount: 9_999, currency: "USD" }), { lines })).toMatchObject({ type: "PRICE_CHANGED" });
  for (const seen of [2_500, 2_501])
    given(Order)
      .when("place", place(eur(seen)), { lines })
      .yields(placed);
});

test("a rejected order says which SKUs were out of stock", () => {
  const short = event("order.rejected", { reason: "OUT_OF_STOCK", outOfStock: ["MUG", "POT"] });
  given(Order, placed)
    .when("rejectFor", { reason: "OUT_OF_STOCK", outOfStock: ["MUG", "POT"] })
    .yields(short);
  expect(evolveAll(Order, Order.initial(), [placed, short])).toMatchObject({ outOfStock: ["MUG", "POT"] });
  given(Order, placed)
    .when("rejectFor", { reason: "PAYMENT_DECLINED", outOfStock: [] })
    .yields(event("order.rejected", { reason: "PAYMENT_DECLINED" }));
  given(Order, placed, short).when("rejectFor", { reason: "x", outOfStock: [] }).yields();
  given(Order, placed, reserved, paid, confirmed)
    .when("rejectFor", { reason: "x", outOfStock: [] })
    .refuses("ORDER_CONFIRMED");
  given(Order).when("rejectFor", { reason: "x", outOfStock: [] }).refuses("ORDER_NOT_FOUND");
});

const steps = [
  { command: "markReserved", params: {}, event: reserved },
  { command: "markPaid", params: { paymentId: "pay-1" }, event: paid },
  { command: "confirm", params: {}, event: confirmed },
  { command: "markShipped", params: { trackingId: "track-1" }, event: shipped },
] as const;

test("takes the saga's steps one after another, each once", () => {
  let past: EventOf<typeof contract>[] = [placed];
  for (const [i, { command, params, event }] of steps.entries()) {
    given(Order, ...past)
      .when(command, params)
      .yields(event);
    for (const later of steps.slice(i + 1))
      given(Order, ...past)
        .when(later.command, later.params)
        .refuses("ORDER_NOT_READY");
    past = [...past, event];
    for (const taken of steps.slice(0, i + 1))
      given(Order, ...past)
        .when(taken.command, taken.params)
        .yields();
  }
});

test("an order that is cancelled, rejected or missing refuses every step, so that the saga compensates", () => {
  for (const { command, params } of steps) {
    given(Order, placed, cancelled).when(command, params).refuses("ORDER_CANCELLED");
    given(Order, placed, rejected).when(command, params).refuses("ORDER_REJECTED");
    given(Order).when(command, params).refuses("ORDER_NOT_FOUND");
  }
});

test("is rejected until it is confirmed; one that has ended already stays as it is", () => {
  const reason = "OUT_OF_STOCK";
  given(Order, placed).when("reject", { reason }).yields(rejected);
  given(Order, placed, reserved, paid).when("reject", { reason }).becomes({ status: "rejected", reason });
  given(Order, placed, cancelled).when("reject", { reason }).yields();
  given(Order, placed, rejected).when("reject", { reason }).yields();
  given(Order, placed, reserved, paid, confirmed).when("reject", { reason }).refuses("ORDER_CONFIRMED");
  given(Order).when("reject", { reason }).refuses("ORDER_NOT_FOUND");
});

test("is cancelled by its customer until it is confirmed", () => {
  given(Order, placed).when("cancel", { customer }).yields(cancelled);
  given(Order, placed, reserved, paid).when("cancel", { customer, reason: "too late" }).becomes({ reason: "too late" });
  given(Order, placed).when("cancel", {}).replies({ status: "cancelled" });
  given(Order, placed, cancelled).when("cancel", { customer }).yields();
  given(Order, placed, rejected).when("cancel", { customer }).refuses("ORDER_REJECTED");
  given(Order, placed, reserved, paid, confirmed).when("cancel", { customer }).refuses("ORDER_CONFIRMED");
  given(Order, placed, reserved, paid, confirmed, shipped).when("cancel", { customer }).refuses("ORDER_CONFIRMED");
});

test("for any other user it does not exist", () => {
  given(Order, placed).when("cancel", { customer: stranger }).refuses("ORDER_NOT_FOUND");
  given(Order, placed, reserved, paid, confirmed).when("cancel", { customer: stranger }).refuses("ORDER_NOT_FOUND");
  given(Order).when("cancel", { customer }).refuses("ORDER_NOT_FOUND");
});

// ---- prepare: calls to other services, and their number

const product = (id: string) => ({ id, sku: `SKU-${id.slice(-2)}`, name: "Enamel mug", price: eur(1_250) });

function prepare(params: object, answers: { [action: string]: (params: any) => unknown }, state = Order.initial()) {
  const calls: string[] = [];
  const call = async (action: string, params: unknown) => {
    calls.push(action);
    return answers[action]!(params);
  };
  const prepared = Order.prepare!.place!({ id: "order-1", commandId: "command-1", call: call as never }, state, {
    ...placing,
    ...params,
  });
  return prepared.then(offer => ({ offer, calls }));
}

test("lines of the same product are merged and priced by one quote", async () => {
  const { offer, calls } = await prepare(
    {
      lines: [
        { productId: mug, quantity: 1 },
        { productId: pot, quantity: 1 },
        { productId: mug, quantity: 2 },
      ],
    },
    { "catalog.quote": ({ ids }) => ({ products: ids.map(product) }) },
  );
  expect(offer).toEqual({ lines: [line(mug, 3), line(pot, 1)] });
  expect(calls).toEqual(["catalog.quote"]);
});

test("from the cart: the customer's own cart is taken for this order and command", async () => {
  const claim = { owner: customer, orderId: "order-1", commandId: "command-1" };
  const { offer, calls } = await prepare(
    { fromCart: true },
    {
      "carts.take": asked => {
        expect(asked).toEqual(claim);
        return { version: 7, items: wanted };
      },
      "catalog.quote": ({ ids }) => ({ products: ids.map(product) }),
    },
  );
  expect(offer).toEqual({ lines, cartVersion: 7 });
  expect(calls).toEqual(["carts.take", "catalog.quote"]);
  const { data } = placed;
  given(Order)
    .when("place", { ...placing, fromCart: true }, offer)
    .yields(event("order.placed", { ...data, fromCart: true, cartVersion: 7 }));
});

test("nothing is asked of others for an empty cart's prices, a bad request or an order that exists", async () => {
  expect(await prepare({ fromCart: true }, { "carts.take": () => ({ version: 0, items: [] }) })).toEqual({
    offer: { lines: [], cartVersion: 0 },
    calls: ["carts.take"],
  });
  expect(await prepare({ fromCart: true, lines: wanted }, {})).toMatchObject({ calls: [] });
  expect(await prepare({ lines: wanted }, {}, { lines: [], status: "placed" })).toMatchObject({ calls: [] });
});

test("unknown products are refused all at once, in the words of the client", async () => {
  const missing = ({ ids }: { ids: string[] }) => {
    const message = "there is no such product";
    throw new Refusal("PRODUCT_NOT_FOUND", {
      errors: ids.slice(1).map((_, n) => ({ field: `ids.${n + 1}`, message })),
    });
  };
  const lines = [mug, mug, pot, customer, pot].map(productId => ({ productId, quantity: 1 }));
  await expect(prepare({ lines }, { "catalog.quote": missing })).rejects.toMatchObject({
    type: "PRODUCT_NOT_FOUND",
    code: 422,
    data: {
      errors: [
        { field: "lines.2.productId", message: `there is no product ${pot}` },
        { field: "lines.4.productId", message: `there is no product ${pot}` },
        { field: "lines.3.productId", message: `there is no product ${customer}` },
      ],
      members: { missing: [pot, customer] },
    },
  });
  const items = [mug, pot, customer].map(productId => ({ productId, quantity: 1 }));
  await expect(
    prepare({ fromCart: true }, { "carts.take": () => ({ version: 1, items }), "catalog.quote": missing }),
  ).rejects.toMatchObject({ data: { errors: [{ field: "items.1.productId" }, { field: "items.2.productId" }] } });
});

test("a confirmed order is taken back by an operator's saga, a shipped one is not", () => {
  const past = [placed, reserved, paid, confirmed];
  given(Order, ...past)
    .when("withdraw", {})
    .yields(event("order.cancelled", { reason: "taken back by the shop" }));
  given(Order, ...past, shipped)
    .when("withdraw", {})
    .refuses("ORDER_CONFIRMED");
  given(Order, placed, cancelled).when("withdraw", {}).yields();
  given(Order).when("withdraw", {}).refuses("ORDER_NOT_FOUND");
});

describe("a refund", () => {
  const two = event("order.placed", {
    ...placing,
    lines: [line(mug, 3), line(pot, 1, eur(4_000))],
    total: eur(7_750),
    fromCart: false,
    placedAt: GIVEN_NOW,
  });
  const past = [two, reserved, paid, confirmed, shipped];
  const asked = (refundId: string, lines: { productId: string; quantity: number }[], amount: number, restock = true) =>
    event("order.refund_requested", {
      refundId,
      lines,
      amount: eur(amount),
      restock,
      items: restock ? lines.map(({ productId, quantity }) => ({ sku: `SKU-${productId.slice(-2)}`, quantity })) : [],
    });
  const mugs = (quantity: number) => [{ productId: mug, quantity }];

  test("by line: at the price that was paid, with what goes back into stock", () => {
    const refund = given(Order, ...past).when("refund", { refundId: "r1", lines: mugs(2), restock: true });
    refund.yields(asked("r1", mugs(2), 2_500));
    refund.replies({ refundId: "r1", amount: eur(2_500) });
    given(Order, ...past)
      .when("refund", { refundId: "r1", lines: [...mugs(1), ...mugs(1)], restock: false, reason: "broken" })
      .yields(
        event("order.refund_requested", {
          refundId: "r1",
          lines: mugs(2),
          amount: eur(2_500),
          restock: false,
          items: [],
          reason: "broken",
        }),
      );
  });

  test("in full: all that is left, whatever was refunded by line before", () => {
    given(Order, ...past, asked("r1", mugs(2), 2_500))
      .when("refund", { refundId: "r2", restock: true })
      .yields(asked("r2", [...mugs(1), { productId: pot, quantity: 1 }], 5_250));
    const all = [asked("r1", mugs(3), 3_750), asked("r2", [{ productId: pot, quantity: 1 }], 4_000)];
    given(Order, ...past, ...all)
      .when("refund", { refundId: "r3", restock: true })
      .refuses("REFUND_TOO_LARGE");
  });

  test("never of more than was bought; one that failed leaves its pieces to others", () => {
    given(Order, ...past, asked("r1", mugs(2), 2_500))
      .when("refund", { refundId: "r2", lines: mugs(2), restock: true })
      .refuses("REFUND_TOO_LARGE", "lines");
    given(Order, ...past, asked("r1", mugs(2), 2_500), event("order.refund_failed", { refundId: "r1", reason: "no" }))
      .when("refund", { refundId: "r2", lines: mugs(3), restock: false })
      .yields(asked("r2", mugs(3), 3_750, false));
    given(Order, ...past)
      .when("refund", { refundId: "r1", lines: [{ productId: customer, quantity: 1 }], restock: true })
      .refuses("LINE_NOT_FOUND", "lines");
  });

  test("once an id, only of what has shipped, and ended once", () => {
    given(Order, ...past, asked("r1", mugs(1), 1_250))
      .when("refund", { refundId: "r1", lines: mugs(1), restock: true })
      .refuses("REFUND_EXISTS");
    given(Order, ...past.slice(0, -1))
      .when("refund", { refundId: "r1", restock: true })
      .refuses("ORDER_NOT_READY");
    given(Order).when("refund", { refundId: "r1", restock: true }).refuses("ORDER_NOT_FOUND");
    const done = event("order.refunded", { refundId: "r1" });
    given(Order, ...past, asked("r1", mugs(1), 1_250))
      .when("markRefunded", { refundId: "r1" })
      .yields(done);
    given(Order, ...past, asked("r1", mugs(1), 1_250), done)
      .when("failRefund", { refundId: "r1", reason: "late" })
      .yields();
    given(Order, ...past)
      .when("markRefunded", { refundId: "r1" })
      .refuses("REFUND_NOT_FOUND");
  });
});
