import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { Flights } from "./flights.ts";
import { limits } from "./limits.ts";

let now = 0;
beforeEach(() => void jest.spyOn(performance, "now").mockImplementation(() => now));
afterEach(() => void jest.restoreAllMocks());

const flown = (flights: Flights): Promise<string> =>
  Promise.race([
    flights.join("key", async () => "flew"),
    new Promise<string>(resolve => setImmediate(() => resolve("waits"))),
  ]);

test("one that never ends is joined for a while, then others fly themselves", async () => {
  const flights = new Flights();
  void flights.join("key", () => new Promise<string>(() => {}));
  now += limits.fillMs - 1;
  expect(await flown(flights)).toBe("waits");
  now += 1;
  expect(await flown(flights)).toBe("flew");
});
