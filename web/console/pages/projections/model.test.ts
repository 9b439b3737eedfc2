import { expect, test } from "@jest/globals";
import { isBuilding, lagOf, shareOf } from "./model.ts";

test("a build tells how much of the log it has", () => {
  expect(shareOf({ events: 250, lagEvents: 750 })).toBe(25);
  expect(shareOf({ events: 0, lagEvents: 0 })).toBe(0);
  expect([isBuilding({ state: "rebuilding" }), isBuilding({ state: "live" })]).toEqual([true, false]);
});

test.each([
  [0, "up to date"],
  [1_234, "1,234 events"],
  [null, "unknown"],
])("%j events behind are %s", (...[events, text]) => expect(lagOf(events)).toBe(text));
