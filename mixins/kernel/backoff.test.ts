import { expect, test } from "@jest/globals";
import { backoffMs } from "./index.ts";

const waits = (random: number) =>
  [1, 2, 3, 4, 5, 100].map(attempt => backoffMs(attempt, { baseMs: 100, capMs: 1_000, random: () => random }));

test("the wait doubles with each attempt, up to its cap", () => {
  expect(waits(1)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});

test("half of the wait is chance, so that what failed together does not come back together", () => {
  expect(waits(0)).toEqual([50, 100, 200, 400, 500, 500]);
  expect(waits(0.5)).toEqual([75, 150, 300, 600, 750, 750]);
});
