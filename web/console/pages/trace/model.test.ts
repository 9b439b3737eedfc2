import { expect, test } from "@jest/globals";
import { rowsOf } from "./model.ts";

const event = (ms: number, type: string) => ({
  at: new Date(Date.parse("2026-01-01T00:00:00.000Z") + ms).toISOString(),
  service: "shelf",
  type,
  stream: "book/1",
  version: 1,
});

test("events of several services stand in the order of their time, with the pauses between them", () => {
  const rows = rowsOf([event(1_500, "c"), event(0, "a"), event(20, "b")]);
  expect(rows.map(({ type, offsetMs, sinceMs }) => [type, offsetMs, sinceMs])).toEqual([
    ["a", 0, 0],
    ["b", 20, 20],
    ["c", 1_500, 1_480],
  ]);
  expect(rowsOf([])).toEqual([]);
});
