import { expect, test } from "@jest/globals";
import { compareCursors } from "./index.ts";

test("cursors compare as numbers, part by part, the start before all", () => {
  const ordered = ["", "0", "9", "10", "10:3", "10:20", "11", "9007199254740993", "9007199254740993:1"];
  const shuffled = [...ordered].sort();
  expect(shuffled).not.toEqual(ordered);
  expect(shuffled.sort(compareCursors)).toEqual(ordered);
  expect(compareCursors("7", "7")).toBe(0);
});
