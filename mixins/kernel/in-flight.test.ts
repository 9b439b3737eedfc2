import { describe, expect, test } from "@jest/globals";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { InFlight } from "./in-flight.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as (options?: { type: "minor" }) => void;

describe("what is under way", () => {
  test("is found by its key until it leaves", () => {
    const all = new InFlight<string, number>();
    all.set("a", 1);
    all.set("b", 2);
    all.set("a", 3);
    expect([all.get("a"), all.get("c"), all.size, [...all.values()]]).toEqual([3, undefined, 2, [3, 2]]);
    all.delete("a");
    all.delete("a");
    expect([all.get("a"), [...all.values()]]).toEqual([undefined, [2]]);
    all.clear();
    expect([all.get("b"), all.size]).toEqual([undefined, 0]);
  });

  test("leaves no garbage behind that only a full collection finds", () => {
    const all = new InFlight<number, number[]>();
    const pass = (from: number, to: number): void => {
      for (let key = from; key < to; key++) {
        all.set(
          key,
          Array.from({ length: 1_000 }, () => key),
        );
        all.delete(key - 10);
      }
    };
    pass(0, 10);
    // The table becomes old.
    for (let round = 0; round < 3; round++) collect({ type: "minor" });
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let at = 10; at < 2_000; at += 10) {
      pass(at, at + 10);
      if (at % 100 === 0) collect({ type: "minor" });
    }
    for (let round = 0; round < 3; round++) collect({ type: "minor" });
    // 16 MB have passed; in a plain Map half of them stay.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(2_000_000);
  });
});
