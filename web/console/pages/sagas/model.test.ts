import { expect, test } from "@jest/globals";
import { filterOf, inWords, keyOf } from "./model.ts";

test("a URL says the filter; what is none is left out", () => {
  expect(filterOf({ state: "stuck", name: "checkout", reason: "PAYMENT_VOIDED", older: "60" })).toEqual({
    state: "stuck",
    name: "checkout",
    reason: "PAYMENT_VOIDED",
    olderThanMinutes: 60,
  });
  expect(filterOf({ state: "lost", older: "soon" })).toEqual({});
  expect(filterOf({ older: "-5" })).toEqual({});
});

test.each([
  [{}, "open sagas"],
  [{ state: "stuck", name: "checkout" }, "stuck sagas of checkout"],
  [{ state: "stuck", reason: "TIMED_OUT", olderThanMinutes: 1_440 }, "stuck sagas with TIMED_OUT older than a day"],
  [{ olderThanMinutes: 7 }, "open sagas older than 7 minutes"],
] as const)("%j is %s", (filter, words) => expect(inWords(filter)).toBe(words));

test("the key of a saga is its id without the name", () => {
  expect(keyOf({ id: "checkout.42", saga: "checkout" })).toBe("42");
  expect(keyOf({ id: "42", saga: "checkout" })).toBe("42");
});
