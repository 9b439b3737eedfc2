import { expect, test } from "@jest/globals";
import { faultsIn, isDecided, orderOf, outcomeOf } from "./model.ts";

const refused = (code: string, status: number, more: object = {}) => ({
  code,
  status,
  outcome: status === 0 || status === 504 ? ("unknown" as const) : ("none" as const),
  message: "it is refused",
  errors: [],
  problem: {},
  requestId: "r-1",
  ...more,
});
const fields = { name: " Ada ", line1: "1 Main St", city: "London", postalCode: "N1", country: "GB", card: "tok_slow" };

test("what is missing is named at its field; a country without postal codes asks for none", () => {
  expect(faultsIn(fields)).toEqual({});
  expect(Object.keys(faultsIn({}))).toEqual(["name", "line1", "city", "country", "postalCode"]);
  expect(faultsIn({ ...fields, country: "HK", postalCode: "" })).toEqual({});
});

test("the order comes from the cart, with the total that was shown, and without lines that are blank", () => {
  const total = { amount: 1_800, currency: "EUR" };
  expect(orderOf({ ...fields, line2: " " }, total)).toEqual({
    fromCart: true,
    expectedTotal: total,
    shippingAddress: { name: "Ada", line1: "1 Main St", city: "London", postalCode: "N1", country: "GB" },
    payment: { method: "card", token: "tok_slow" },
  });
});

test("an answer that was lost leaves the attempt open, until the server has decided about its key", () => {
  expect(outcomeOf(refused("NO_ANSWER", 0), false).kind).toBe("unknown");
  expect(outcomeOf(refused("TIMED_OUT", 504), false).kind).toBe("unknown");
  expect(outcomeOf(refused("IDEMPOTENCY_KEY_IN_PROGRESS", 409), false).kind).toBe("unknown");
  // Busy: the second sending was not carried out, the first may have been.
  expect(outcomeOf(refused("OVERLOADED", 503), true).kind).toBe("unknown");
  expect(outcomeOf(refused("OVERLOADED", 503), false).kind).toBe("refused");
  expect(outcomeOf(refused("SESSION_ENDED", 401), true).kind).toBe("session");
  expect([refused("PRICE_CHANGED", 409), refused("SESSION_ENDED", 401)].map(isDecided)).toEqual([true, false]);
});

test("a refusal leads on: the new total, the field, the cart", () => {
  const total = { amount: 2_000, currency: "EUR" };
  expect(outcomeOf(refused("PRICE_CHANGED", 409, { problem: { total } }), false)).toEqual({ kind: "price", total });
  const errors = [{ field: "shippingAddress.postalCode", message: "is too long" }];
  expect(outcomeOf(refused("VALIDATION_ERROR", 422, { errors }), false)).toEqual({
    kind: "fields",
    faults: { postalCode: "Is too long." },
  });
  expect(outcomeOf(refused("CART_EMPTY", 422), false).kind).toBe("cart");
  expect(outcomeOf(refused("TOTAL_TOO_LARGE", 422), false)).toEqual({
    kind: "refused",
    message: "It is refused.",
    requestId: "r-1",
  });
});

test("what is wrong beside the address is said in its own words, never by `see errors`", () => {
  const errors = [{ field: "expectedTotal.amount", message: "must be at most 100" }];
  expect(outcomeOf(refused("VALIDATION_ERROR", 422, { errors }), false)).toMatchObject({
    kind: "refused",
    message: "This is more than one order may cost. Order it in parts.",
  });
  const other = [{ field: "payment.token", message: "is not known" }];
  expect(outcomeOf(refused("VALIDATION_ERROR", 422, { errors: other }), false)).toMatchObject({
    message: "Payment.token is not known.",
  });
});
