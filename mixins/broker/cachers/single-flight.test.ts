import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { callErrors } from "../../contract/index.ts";
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

test("an execution that failed because its own caller's time was over is no answer to the others: the next one executes", async () => {
  const flight = new SingleFlight();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const first = flight.join("key", () => begun.then(() => Promise.reject(callErrors.DEADLINE_PASSED())));
  const others = [1, 2].map(n => flight.join("key", async () => `executed by ${n}`));
  begin();
  await expect(first).rejects.toMatchObject({ type: "DEADLINE_PASSED" });
  expect(await Promise.all(others)).toEqual(["executed by 1", "executed by 1"]);
});
