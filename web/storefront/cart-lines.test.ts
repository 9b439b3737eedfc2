import { expect, test } from "@jest/globals";
import { checked, isBlocked, joined, joinSays, totalOf, withQuantity, type Line } from "./cart-lines.ts";

const product = (id: string, amount = 1_000, currency = "EUR") => ({
  id,
  sku: `SKU-${id}`,
  name: `Thing ${id}`,
  price: { amount, currency },
  category: "mugs",
  description: "",
  createdAt: "",
  updatedAt: "",
});
const line = (id: string, quantity = 1, amount?: number): Line => ({ product: product(id, amount), quantity });

test("a quantity is set where the line is, added at the end, and none takes it out", () => {
  const lines = [line("a"), line("b")];
  expect(withQuantity(lines, product("a"), 5).map(({ quantity }) => quantity)).toEqual([5, 1]);
  expect(withQuantity(lines, product("c"), 2_000).at(-1)).toMatchObject({ quantity: 1_000, product: { id: "c" } });
  expect(withQuantity(lines, product("a"), 0)).toEqual([line("b")]);
  const undone = withQuantity([line("b")], product("a"), 1, 0);
  expect(undone.map(({ product: { id } }) => id)).toEqual(["a", "b"]);
});

test("two currencies have no total", () => {
  expect(totalOf([line("a", 2), line("b", 1, 500)])).toEqual({ amount: 2_500, currency: "EUR" });
  expect(totalOf([line("a"), { product: product("b", 1, "USD"), quantity: 1 }])).toBeUndefined();
});

test("a guest's cart joins that of the account with the larger quantity, and it is said", () => {
  const guests = [
    { productId: "a", quantity: 3 },
    { productId: "b", quantity: 1 },
  ];
  const accounts = [
    { productId: "b", quantity: 2 },
    { productId: "c", quantity: 1 },
  ];
  expect(joined(guests, accounts)).toEqual([
    { productId: "b", quantity: 2 },
    { productId: "c", quantity: 1 },
    { productId: "a", quantity: 3 },
  ]);
  expect(joinSays(guests, accounts)).toBe("Your cart has joined the one of your account: 6 things now.");
  expect(joinSays([], accounts)).toBe("Your cart is here: 3 things, as you left it.");
  expect(joinSays(guests, [])).toBeUndefined();
});

test("what has changed about a line is named, and all but a price keeps an order from being placed", () => {
  const lines = [line("a", 2), line("b", 2), line("c", 2), line("d", 2)];
  const products = [product("a", 1_200), product("b"), product("c")];
  const now = checked(lines, { products, gone: ["d"], available: { "SKU-a": 9, "SKU-b": 1, "SKU-c": 0 } });
  expect(now.map(({ changes }) => changes)).toEqual([
    [{ kind: "price", before: { amount: 1_000, currency: "EUR" } }],
    [{ kind: "short", left: 1 }],
    [{ kind: "sold-out" }],
    [{ kind: "gone" }],
  ]);
  expect(isBlocked(now.slice(0, 1))).toBe(false);
  expect(now.slice(1).map(one => isBlocked([one]))).toEqual([true, true, true]);
});
