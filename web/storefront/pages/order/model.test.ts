import { expect, test } from "@jest/globals";
import { canCancel, isOver, saysOf, stepsOf, wayOnFrom, wordOf, type Ordered, type Status } from "./model.ts";

const lines = [
  { sku: "MUG-001", name: "Harbour Mug" },
  { sku: "TEA-001", name: "Sencha" },
];
const order = (status: Status, more: Partial<Ordered> = {}): Ordered => ({ status, lines, ...more });

test("the steps of an order are done up to the one it is at, and all of them at the end", () => {
  expect(stepsOf("paid").map(({ state }) => state)).toEqual(["done", "done", "now", "next", "next"]);
  expect(stepsOf("shipped").map(({ state }) => state)).toEqual(Array(5).fill("done"));
  expect(stepsOf("rejected")).toEqual([]);
});

test("an order is cancelled until it is confirmed, and followed until it has ended", () => {
  const all: Status[] = ["placed", "stock_reserved", "paid", "confirmed", "shipped", "rejected", "cancelled"];
  expect(all.filter(canCancel)).toEqual(["placed", "stock_reserved", "paid"]);
  expect(all.filter(isOver)).toEqual(["shipped", "rejected", "cancelled"]);
});

test("a rejected order says why by name, that nothing was charged, and where to go on", () => {
  const soldOut = order("rejected", { reason: "OUT_OF_STOCK", outOfStock: ["TEA-001", "GONE"] });
  expect(saysOf(soldOut).text).toMatch(/^Sencha and GONE are sold out.* cart is as it was\.$/);
  expect(wayOnFrom(soldOut)[0]).toBe("/cart");
  const declined = order("rejected", { reason: "PAYMENT_DECLINED" });
  expect(saysOf(declined).text).toContain("Nothing was charged");
  expect(wayOnFrom(declined)).toEqual(["/checkout", "Try another card"]);
  expect(saysOf(order("rejected", { reason: "SOMETHING_NEW" })).text).toContain("Nothing was charged");
});

test("a status of a later release is shown by its own name", () => {
  expect(wordOf("handed_over")).toEqual(["handed over", "idle"]);
});
