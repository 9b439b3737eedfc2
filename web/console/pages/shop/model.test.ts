import { expect, test } from "@jest/globals";
import { amountOf, canCancel, quantityOf, tabOf, toneOf, wordOf } from "./model.ts";

test("a tab that is none is the first one", () => {
  expect([tabOf("stock"), tabOf("moon"), tabOf(undefined)]).toEqual(["stock", "orders", "orders"]);
});

test("an order is cancelled until it is confirmed", () => {
  expect(["placed", "stock_reserved", "paid", "confirmed", "shipped"].map(canCancel)).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
  expect([wordOf("stock_reserved"), toneOf("shipped"), toneOf("lost")]).toEqual(["stock reserved", "good", "idle"]);
});

test.each([
  ["12", 12],
  [" -3 ", -3],
  ["+4", 4],
  ["0", undefined],
  ["1.5", undefined],
  ["many", undefined],
  ["", undefined],
])("%j is the quantity %j", (text, quantity) => expect(quantityOf(text)).toBe(quantity));

test("what comes in is one piece at least", () => expect(quantityOf("-3", { min: 1 })).toBeUndefined());

test.each([
  ["12", 2, 1_200],
  ["12.5", 2, 1_250],
  ["12,50", 2, 1_250],
  ["1200", 0, 1_200],
  ["12.505", 2, undefined],
  ["12.5", 0, undefined],
  ["-1", 2, undefined],
  ["1.000,00", 2, undefined],
  ["", 2, undefined],
])("%s with %d digits is %p", (...[text, digits, amount]) => expect(amountOf(text, digits)).toBe(amount));
