import { expect, test } from "@jest/globals";
import { limits } from "../limits.ts";
import { ConcurrencyLimit } from "./concurrency-limit.ts";

/** A service that answers `capacity` calls a second, one after the other: more calls at work only wait longer. */
function service({ capacity, baseMs, limit = new ConcurrencyLimit(0), now = 0 }: Setup) {
  /** As many calls as the limit allows, for so many seconds; resolves to milliseconds of the last answers. */
  const run = (seconds: number, offered = Infinity): number => {
    let ms = baseMs;
    for (const end = now + seconds * 1_000; now < end; now += 1_000 / capacity) {
      const atWork = Math.min(limit.value, offered);
      ms = Math.max(baseMs, (atWork * 1_000) / capacity);
      limit.answered("GET /x", ms, atWork, now);
    }
    return ms;
  };
  return { run, limit };
}
interface Setup {
  readonly capacity: number;
  readonly baseMs: number;
  readonly limit?: ConcurrencyLimit;
  readonly now?: number;
}

test("a service that is not used to its limit keeps it, however its answers vary", () => {
  const { run, limit } = service({ capacity: 1_000, baseMs: 10 });
  run(5, 20);
  expect(limit.value).toBe(limits.callsPerServiceMax);
});

test("overload makes it shrink until answers take at most a few times the usual, and the service stays busy", () => {
  const { run, limit } = service({ capacity: 1_000, baseMs: 20 });
  run(3, 10);
  run(2);
  const ms = run(30);
  expect(ms).toBeLessThanOrEqual(4 * 20);
  expect(limit.value).toBeGreaterThanOrEqual(20);
});

test("a gateway that starts into an overload finds the usual time by trying half of the limit", () => {
  const { run } = service({ capacity: 1_000, baseMs: 20 });
  expect(run(2)).toBeGreaterThan(200);
  expect(run(60)).toBeLessThanOrEqual(200);
});

test("it grows again when the service is well: one that answers many at once gets many", () => {
  const limit = new ConcurrencyLimit(0);
  service({ capacity: 1_000, baseMs: 20, limit }).run(3, 10);
  service({ capacity: 1_000, baseMs: 20, limit, now: 3_000 }).run(10);
  const small = limit.value;
  // Each call takes 20 ms, however many there are.
  service({ capacity: 100_000, baseMs: 20, limit, now: 13_000 }).run(10);
  expect(small).toBeLessThan(120);
  expect(limit.value).toBeGreaterThan(2 * small);
});

test("a slow route is no overload: each route has its own usual time", () => {
  const limit = new ConcurrencyLimit(0);
  for (let now = 0; now < 5_000; now++) {
    limit.answered("GET /fast", 1, 400, now);
    if (now % 10 === 0) limit.answered("GET /slow", 200, 400, now);
  }
  expect(limit.value).toBe(limits.callsPerServiceMax);
});

test("a refusal by the service itself shrinks it, down to the least", () => {
  const limit = new ConcurrencyLimit(0);
  limit.refused();
  expect(limit.value).toBe(limits.callsPerServiceMax * limits.refusedFactor);
  for (let n = 0; n < 100; n++) limit.refused();
  expect(limit.value).toBe(limits.callsPerServiceMin);
});
