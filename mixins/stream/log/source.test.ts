import { expect, test } from "@jest/globals";
import { isAtOrPast, leastOf } from "./source.ts";

test("positions are compared by number, the most significant part first", () => {
  const ordered = ["", "7", "10", "10:3", "10:20", "11:1"];
  for (const [i, cursor] of ordered.entries())
    for (const [j, other] of ordered.entries()) expect(isAtOrPast(cursor, other)).toBe(i >= j);
});

test("on several databases a reader is past another only if it is on each of them", () => {
  expect(isAtOrPast("0=5:1,1=7:2", "0=5:1,1=7:1")).toBe(true);
  expect(isAtOrPast("0=9:9,1=7:0", "0=5:1,1=7:1")).toBe(false);
  expect(isAtOrPast("0=9:9", "0=5:1,1=7:1")).toBe(false);
  expect(isAtOrPast("0=9:9,1=7:1", "0=5:1")).toBe(true);
  // A position without a shard is from when shard 0 was the whole.
  expect(isAtOrPast("0=9:9,1=7:1", "9:9")).toBe(true);
  expect(isAtOrPast("9:9", "0=9:9,1=7:1")).toBe(false);
});

test("the least of several cursors is the least in each database", () => {
  expect(leastOf([])).toBe("");
  expect(leastOf(["7", "10", "9"])).toBe("7");
  expect(leastOf(["10:3", "9:20", ""])).toBe("");
  expect(leastOf(["0=5:1,1=7:2", "0=4:9,1=8:1"])).toBe("0=4:9,1=7:2");
  // A database that one of them has not read at all is read from its start.
  expect(leastOf(["0=5:1,1=7:2", "0=6:1"])).toBe("0=5:1");
  expect(leastOf(["5:1", "0=6:1,1=7:1"])).toBe("5:1");
  expect(leastOf(["6:1", "0=5:1,1=7:1"])).toBe("0=5:1");
});
