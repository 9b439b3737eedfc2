import { expect, test } from "@jest/globals";
import { HeldTraces } from "./held-traces.ts";
import type { HeldTrace, TailRule } from "./tail-rule.ts";

/** With the same last digits as all the others: in one bucket. */
const traceOf = (n: number): HeldTrace => ({
  id: `${n}`.padEnd(32, "0"),
  rule: undefined as unknown as TailRule,
  open: 0,
  ended: 0,
  last: undefined,
  isKept: false,
  isDropped: false,
  earlier: undefined,
  later: undefined,
  inBucket: undefined,
});

test("traces are found by id, and taken out in any order, with the one that began first in front", () => {
  const held = new HeldTraces();
  const traces = [1, 2, 3, 4].map(traceOf);
  const [one, two, three, four] = traces;
  for (const trace of traces) held.add(trace);
  const inOrder = () => {
    const ids: string[] = [];
    for (let trace = held.first; trace; trace = trace.later) ids.push(trace.id[0]!);
    return ids.join("");
  };
  for (const [gone, left] of [
    [two!, "134"],
    [four!, "13"],
    [one!, "3"],
  ] as const) {
    held.remove(gone);
    held.remove(gone);
    expect(inOrder()).toBe(left);
    expect(held.size).toBe(left.length);
    expect(held.find(gone.id)).toBeUndefined();
    expect(held.find(three!.id)).toBe(three);
  }
  held.remove(three!);
  expect(held.first).toBeUndefined();
  held.add(two!);
  expect(inOrder()).toBe("2");
});
