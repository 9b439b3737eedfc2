import { expect, test } from "@jest/globals";
import { pathOf, topOf, within, type Point } from "./model.ts";

const start = Date.parse("2026-01-01T00:00:00.000Z");
const point = (second: number, requestsPerSecond: number, more: Partial<Point> = {}): Point => ({
  at: new Date(start + second * 1_000).toISOString(),
  seconds: 5,
  requestsPerSecond,
  failuresPerSecond: 0,
  commandsPerSecond: 0,
  eventsPerSecond: 0,
  ...more,
});
const lines = [{ name: "all", figure: "requestsPerSecond" }] as const;

test.each([
  [0, 1],
  [0.4, 1],
  [3, 5],
  [10, 10],
  [10.5, 20],
  [1_234_567, 2_000_000],
])("a scale for up to %d ends at %d", (value, top) => expect(topOf([point(0, value)], lines)).toBe(top));

test("a line is broken where nobody looked, and has no point where there was no value", () => {
  const scale = { from: start, to: start + 100_000, top: 10, everySeconds: 5 };
  const points = [point(0, 0), point(5, 10), point(50, 5), point(55, 5)];
  expect(pathOf(points, "requestsPerSecond", scale)).toBe("M0 100L30 0M300 50L330 50");
  expect(pathOf([point(0, 1), point(5, 1, { p50Ms: 5 })], "p50Ms", scale)).toBe("M30 50");
  expect(pathOf([], "p50Ms", scale)).toBe("");
});

test("only the last minutes are shown", () => {
  const points = [point(0, 1), point(600, 2)];
  expect(within(points, 5, start + 660_000)).toEqual([points[1]]);
});
