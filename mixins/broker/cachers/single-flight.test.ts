import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { SingleFlight } from "./single-flight.ts";
import { limits } from "./limits.ts";

let now = 0;
beforeEach(() => void jest.spyOn(performance, "now").mockImplementation(() => now));
afterEach(() => void jest.restoreAllMocks());

const outcome = (flight: SingleFlight): Promise<string> =>
  Promise.race([
    flight.join("key", async () => "executed"),
    new Promise<string>(resolve => setImmediate(() => resolve("waits"))),
  ]);

test("an execution that never ends is joined for a while, then the next call executes itself", async () => {
  const flight = new SingleFlight();
  void flight.join("key", () => new Promise<string>(() => {}));
  now += limits.fillMs - 1;
  expect(await outcome(flight)).toBe("waits");
  now += 1;
  expect(await outcome(flight)).toBe("executed");
});
