import { expect, test } from "@jest/globals";
import { msOf } from "./index.ts";

test("the fields of a duration add up to milliseconds", () => {
  expect(msOf({ minutes: 15 })).toBe(900_000);
  expect(msOf({ days: 1, hours: 1, minutes: 1, seconds: 1, ms: 1 })).toBe(90_061_001);
  expect([msOf(250), msOf({})]).toEqual([250, 0]);
});
