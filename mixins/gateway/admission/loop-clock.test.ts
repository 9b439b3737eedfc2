import { expect, test } from "@jest/globals";
import { limits } from "../limits.ts";
import { LoopClock } from "./loop-clock.ts";

test("short turns count in full, a pause counts as one turn", () => {
  let now = 1_000;
  const clock = new LoopClock({ monotonic: () => now });
  const after = (ms: number): number => {
    now += ms;
    return clock.monotonic();
  };
  expect([after(3), after(5)]).toEqual([3, 8]);
  expect([after(60_000), after(1)]).toEqual([8 + limits.turnMsMax, 9 + limits.turnMsMax]);
});
