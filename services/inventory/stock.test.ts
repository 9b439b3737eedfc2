import { expect, test } from "@jest/globals";
import { Refusal } from "@valence/runtime/kernel";
import { decide, decisionOf, given } from "@valence/runtime/actor";
import { checkGolden } from "@valence/runtime/testing";
import { contract } from "./contract.ts";
import { quantityOf } from "./reservations.ts";
import { limits, Stock } from "./stock.ts";

const { event } = contract;
const received = (quantity: number) => event("stock.received", { quantity });
const reserved = (orderId: string, quantity: number) => event("stock.reserved", { orderId, quantity });
const released = (orderId: string, quantity: number) => event("stock.released", { orderId, quantity });
const adjusted = (quantity: number, reason = "counted") => event("stock.adjusted", { quantity, reason });
const sold = (orderId: string, quantity: number) => event("stock.sold", { orderId, quantity });

test("golden samples decode, fold and give the golden snapshot", () => checkGolden(Stock, import.meta.dirname));

test("receives, and answers what is available", () => {
  given(Stock).when("receive", { quantity: 5 }).yields(received(5));
  given(Stock, received(5), reserved("a", 2)).when("receive", { quantity: 3 }).replies({ available: 6 });
});

test("refuses to receive more than a SKU can hold", () => {
  const past = Array.from({ length: limits.receivedMax / 1_000_000 }, () => received(1_000_000));
  given(Stock, ...past)
    .when("receive", { quantity: 1 })
    .refuses("TOO_MUCH_STOCK", "quantity");
});

test("is corrected up and down, never below what is reserved", () => {
  const past = [received(5), reserved("a", 2)];
  given(Stock, ...past)
    .when("adjust", { quantity: -3, reason: "broken" })
    .yields(adjusted(-3, "broken"));
  given(Stock, ...past)
    .when("adjust", { quantity: -3, reason: "broken" })
    .replies({ available: 0 });
  given(Stock, ...past)
    .when("adjust", { quantity: -4, reason: "broken" })
    .refuses("BELOW_RESERVED", "quantity");
  given(Stock, ...past)
    .when("adjust", { quantity: 4, reason: "found" })
    .replies({ available: 7 });
  given(Stock, ...past)
    .when("adjust", { quantity: 0, reason: "nothing" })
    .refuses("NOTHING_TO_ADJUST", "quantity");
  given(Stock).when("adjust", { quantity: -1, reason: "broken" }).refuses("STOCK_NOT_FOUND", "sku");
  given(Stock, received(5), adjusted(-5)).when("reserve", { orderId: "a", quantity: 1 }).refuses("OUT_OF_STOCK");
  given(Stock, adjusted(2)).when("reserve", { orderId: "a", quantity: 1 }).yields(reserved("a", 1));
});

test("refuses a correction to more than a SKU can hold", () => {
  const past = Array.from({ length: limits.receivedMax / 1_000_000 }, () => received(1_000_000));
  given(Stock, ...past)
    .when("adjust", { quantity: 1, reason: "found" })
    .refuses("TOO_MUCH_STOCK", "quantity");
  given(Stock, ...past.slice(1), adjusted(1_000_000))
    .when("receive", { quantity: 1 })
    .refuses("TOO_MUCH_STOCK", "quantity");
});

test("reserves what is available, to the last piece", () => {
  given(Stock, received(5)).when("reserve", { orderId: "a", quantity: 5 }).yields(reserved("a", 5));
  given(Stock, received(5), reserved("a", 5)).when("reserve", { orderId: "b", quantity: 1 }).refuses("OUT_OF_STOCK");
  given(Stock, received(5)).when("reserve", { orderId: "a", quantity: 6 }).refuses("OUT_OF_STOCK", "quantity");
});

test("refuses to reserve what was never received", () =>
  given(Stock).when("reserve", { orderId: "a", quantity: 1 }).refuses("STOCK_NOT_FOUND"));

test("an order reserves once, whatever command asks", () => {
  given(Stock, received(5), reserved("a", 2)).when("reserve", { orderId: "a", quantity: 2 }).yields();
  given(Stock, received(5), reserved("a", 2))
    .when("reserve", { orderId: "a", quantity: 3 })
    .refuses("ALREADY_RESERVED", "quantity");
});

test("gives a reservation back, and nothing where there is none", () => {
  given(Stock, received(5), reserved("a", 2)).when("release", { orderId: "a", quantity: 2 }).yields(released("a", 2));
  given(Stock, received(5)).when("release", { orderId: "a", quantity: 2 }).yields();
  given(Stock).when("release", { orderId: "a", quantity: 2 }).yields();
  given(Stock, received(5), reserved("a", 2), released("a", 2)).when("release", { orderId: "a", quantity: 2 }).yields();
});

test("sells what is reserved, once", () => {
  given(Stock, received(5), reserved("a", 2)).when("commit", { orderId: "a", quantity: 2 }).yields(sold("a", 2));
  given(Stock, received(5), reserved("a", 2), sold("a", 2)).when("commit", { orderId: "a", quantity: 2 }).yields();
  given(Stock, received(5)).when("commit", { orderId: "a", quantity: 2 }).yields();
});

const returned = (orderId: string, quantity: number) => event("stock.returned", { orderId, quantity });
test("takes back what was sold, never more", () => {
  const past = [received(5), reserved("a", 2), sold("a", 2)];
  given(Stock, ...past)
    .when("takeBack", { orderId: "a", quantity: 2 })
    .yields(returned("a", 2));
  given(Stock, ...past)
    .when("takeBack", { orderId: "a", quantity: 3 })
    .refuses("NOT_SOLD", "quantity");
  given(Stock, ...past, returned("a", 2))
    .when("takeBack", { orderId: "a", quantity: 1 })
    .refuses("NOT_SOLD");
  given(Stock, received(5), reserved("a", 2)).when("takeBack", { orderId: "a", quantity: 2, wasSold: false }).yields();
});

test("received + adjusted = available + reserved + sold, none below zero, after any commands", () => {
  const seed = Date.now();
  const random = generator(seed);
  const pick = (n: number): number => Math.floor(random() * n);
  let refused = 0;
  for (let run = 0; run < 200; run++) {
    let state = Stock.initial();
    for (let step = 0; step < 60; step++) {
      const command = ["receive", "reserve", "reserve", "release", "commit", "adjust", "takeBack"][pick(7)]!;
      const params =
        command === "adjust"
          ? { quantity: pick(17) - 8, reason: "counted" }
          : { quantity: 1 + pick(8), ...(command !== "receive" && { orderId: `order-${pick(5)}` }) };
      try {
        ({ state } = decide(Stock, state, command, params, decisionOf("sku", "", String)));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        refused++;
      }
      const open = Array.from({ length: 5 }, (_, n) => quantityOf(state.reservations, `order-${n}`) ?? 0);
      const books = { seed, command, params, state, lowest: Math.min(state.available, state.sold, ...open) };
      const all = state.received + (state.adjusted ?? 0);
      if (books.lowest < 0 || all !== state.available + state.sold + open.reduce((a, b) => a + b, 0))
        throw new Error(`the books do not balance: ${JSON.stringify(books)}`);
    }
  }
  expect(refused).toBeGreaterThan(0);
});

/** A seeded generator (mulberry32), so that a failure can be run again. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
