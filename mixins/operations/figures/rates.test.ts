import { expect, test } from "@jest/globals";
import { pointOf, type Look } from "./rates.ts";

const at = Date.parse("2026-01-01T00:00:00.000Z");
const counts = (requests: number, quick = requests) => ({
  requests,
  failures: requests / 10,
  durations: [
    [0.1, quick],
    [1, requests],
    [null, requests],
  ] as const,
  commands: 2 * requests,
  events: 3 * requests,
});
const look = (seconds: number, nodes: Record<string, ReturnType<typeof counts>>, more: Partial<Look> = {}): Look => ({
  at: at + seconds * 1_000,
  nodes: new Map(Object.entries(nodes)),
  ...more,
});

test("rates are of all nodes, and of the time between two looks", () => {
  const before = look(0, { a: counts(100), b: counts(50) });
  const after = look(5, { a: counts(200, 150), b: counts(100) }, { lagEvents: 3, lagSeconds: 1.5 });
  expect(pointOf(before, after)).toEqual({
    at: "2026-01-01T00:00:05.000Z",
    seconds: 5,
    requestsPerSecond: 30,
    failuresPerSecond: 3,
    // Of 150 requests 100 took up to 100 ms, evenly spread; the others up to a second.
    p50Ms: 75,
    p95Ms: 865,
    p99Ms: 973,
    commandsPerSecond: 60,
    eventsPerSecond: 90,
    lagEvents: 3,
    lagSeconds: 1.5,
  });
});

test("a node that has joined has no rate yet, one that has begun anew counts from 0, one that is gone is left out", () => {
  const before = look(0, { again: counts(100), gone: counts(100) });
  const after = look(10, { again: counts(20), joined: counts(1_000) });
  expect(pointOf(before, after)).toMatchObject({ requestsPerSecond: 2, commandsPerSecond: 4 });
});

test("without requests there are no times, and what took longer than the last bound is told as that", () => {
  const none = look(0, { a: counts(10) });
  expect(pointOf(none, { ...none, at: at + 5_000 })).not.toHaveProperty("p50Ms");
  const slow = {
    ...counts(20),
    durations: [
      [0.1, 10],
      [1, 10],
      [null, 20],
    ] as const,
  };
  expect(pointOf(none, look(5, { a: slow }))).toMatchObject({ p50Ms: 1_000, p99Ms: 1_000 });
});
