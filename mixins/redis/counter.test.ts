import { describe, expect, test } from "@jest/globals";
import { counterConformance, WINDOW_MS } from "./counter.conformance.ts";
import { MemoryCounter } from "./index.ts";

const start = (options: { processes?: number; keysMax?: number } = {}) => {
  let now = 0;
  const clock = { now: () => now, monotonic: () => now };
  const counter = new MemoryCounter({ windowMs: WINDOW_MS, keysMax: 100, clock, ...options });
  return { counter, pass: (ms: number) => (now += ms) };
};

describe("in memory", () => counterConformance(async () => start().counter));

test("a window ends, and the next begins with the next count", async () => {
  const { counter, pass } = start();
  await counter.add("ada");
  pass(WINDOW_MS - 1);
  expect(await counter.add("ada")).toEqual({ count: 2, endsInMs: 1 });
  pass(1);
  expect(await counter.read("ada")).toEqual({ count: 0, endsInMs: 0 });
  expect(await counter.add("ada")).toEqual({ count: 1, endsInMs: WINDOW_MS });
});

test("a new window is no longer than it says, at whichever fraction of a millisecond it begins", async () => {
  const { counter, pass } = start();
  for (let n = 0; n < 50; n++) {
    pass(WINDOW_MS + n / 7);
    expect((await counter.add("ada")).endsInMs).toBe(WINDOW_MS);
  }
});

test("one of several processes counts for all of them", async () => {
  const { counter } = start({ processes: 4 });
  expect((await counter.add("ada")).count).toBe(4);
});

test("no more keys are remembered than the limit; the oldest window is forgotten", async () => {
  const { counter } = start({ keysMax: 2 });
  for (const key of ["first", "second", "third"]) await counter.add(key);
  expect(await Promise.all(["first", "second", "third"].map(async key => (await counter.read(key)).count))).toEqual([
    0, 1, 1,
  ]);
});
