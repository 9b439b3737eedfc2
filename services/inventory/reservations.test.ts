import { expect, test } from "@jest/globals";
import { deepFreeze, evolveAll, type StateOf } from "@valence/runtime/actor";
import { randomOf } from "@valence/runtime/testing";
import { contract } from "./contract.ts";
import { quantityOf, withoutReservation, withReservation, type Reservations } from "./reservations.ts";
import { Stock } from "./stock.ts";

const { event } = contract;
const orderId = (n: number): string => `0190f5c2-7a3e-7c11-9d5e-${`${n}`.padStart(12, "0")}`;

test("equals a map after any changes, also after JSON", () => {
  const seed = Date.now();
  const random = randomOf(seed);
  const expected = new Map<string, number>();
  let reservations: Reservations = [];
  for (let step = 0; step < 20_000; step++) {
    // Up to some 2,000 open reservations, then down again to none.
    const isFilling = random() < (step < 12_000 ? 0.6 : 0.2);
    const order = orderId(Math.floor(random() * 4_000));
    if (!expected.has(order) && isFilling) {
      expected.set(order, step);
      reservations = deepFreeze(withReservation(reservations, order, step));
    } else {
      expected.delete(order);
      reservations = deepFreeze(withoutReservation(reservations, order));
    }
    if (step % 1_000 === 0) reservations = deepFreeze(JSON.parse(JSON.stringify(reservations)));
  }
  const differing = () =>
    Array.from({ length: 4_000 }, (_, n) => orderId(n)).filter(
      order => quantityOf(reservations, order) !== expected.get(order),
    );
  expect({ seed, differing: differing() }).toEqual({ seed, differing: [] });
  expect(expected.size).toBeGreaterThan(100);
  for (const order of expected.keys()) reservations = withoutReservation(reservations, order);
  expect(reservations).toEqual([]);
});

test("removing a missing reservation changes nothing", () => {
  let reservations: Reservations = [];
  for (let n = 0; n < 100; n++) reservations = withReservation(reservations, orderId(n), 1);
  expect(withoutReservation(reservations, "none")).toBe(reservations);
  expect(quantityOf(reservations, "none")).toBeUndefined();
  expect(quantityOf([], "length")).toBeUndefined();
});

test("a command on a stock copies as little with 100,000 open reservations as with 100", () => {
  const reserved = (n: number) => event("stock.reserved", { orderId: orderId(n), quantity: 1 });
  let state = evolveAll(Stock, Stock.initial(), [event("stock.received", { quantity: 1_000_000 })]);
  for (let n = 0; n < 100_000; n++) {
    state = evolveAll(Stock, state, [reserved(n)]);
    if (n !== 100 && n !== 99_999) continue;
    const after = evolveAll(Stock, state, [reserved(n + 1)]);
    expect(copied(after, state)).toBeLessThan(200);
    const released = event("stock.released", { orderId: orderId(n + 1), quantity: 1 });
    expect(copied(evolveAll(Stock, after, [released]), after)).toBeLessThan(200);
  }
  expect(state).toMatchObject({ available: 900_000, received: 1_000_000 });
});

/** Fields and elements of the objects that are in one state and not in another. */
function copied(after: StateOf<typeof contract>, before: StateOf<typeof contract>): number {
  const known = new Set<unknown>();
  const walk = (value: unknown, visit: (node: object) => boolean): void => {
    if (typeof value !== "object" || value === null || !visit(value)) return;
    for (const inner of Object.values(value)) walk(inner, visit);
  };
  walk(before, node => Boolean(known.add(node)));
  let fields = 0;
  walk(after, node => {
    if (known.has(node)) return false;
    fields += Object.keys(node).length;
    return true;
  });
  return fields;
}
