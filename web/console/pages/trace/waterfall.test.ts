import { expect, test } from "@jest/globals";
import { barsOf } from "./waterfall.ts";

const span = (id: string, offsetMs: number, ms: number, parent?: string, name = id) => ({
  id,
  name,
  kind: "internal",
  node: "n1",
  offsetMs,
  ms,
  failed: false,
  parent,
});

test("spans stand below what they are a part of; one whose parent is elsewhere leads", () => {
  const bars = barsOf([span("b", 10, 20, "a"), span("a", 0, 100), span("d", 15, 5, "b"), span("c", 50, 1, "gone")]);
  expect(bars.map(({ span: { id }, depth, from, width }) => [id, depth, from, width])).toEqual([
    ["a", 0, 0, 1_000],
    ["b", 1, 100, 200],
    ["d", 2, 150, 50],
    ["c", 0, 500, 10],
  ]);
});

test("a long pause between parts is a gap; probes are left out", () => {
  const bars = barsOf([
    span("a", 0, 100),
    span("b", 0, 10, "a"),
    span("c", 60, 10, "a"),
    span("p", 1, 1, "a", "GET /health/live"),
  ]);
  expect(bars.map(({ span: { id }, gapMs }) => [id, gapMs])).toEqual([
    ["a", undefined],
    ["b", undefined],
    ["c", 50],
  ]);
  expect(barsOf([])).toEqual([]);
});
