import { expect, test } from "@jest/globals";
import { limits } from "../limits.ts";
import { dueAt, statesAt } from "./key-states.ts";

const key = (kid: string, signsFrom: number) => ({ kid, publishedAt: signsFrom - limits.keyPublishedMs, signsFrom });
const DAY = 86_400_000;
const old = key("old", 0);
const next = key("next", 10 * DAY);
const statesOf = (now: number) => statesAt([old, next], now).map(({ kid, state }) => `${kid} ${state}`);

test("a key is published, signs, is retired and dropped, each at its time", () => {
  expect(statesOf(next.signsFrom - 1)).toEqual(["next published", "old signing"]);
  expect(statesOf(next.signsFrom)).toEqual(["next signing", "old retired"]);
  expect(statesOf(next.signsFrom + limits.keyKeptMs - 1)).toEqual(["next signing", "old retired"]);
  expect(statesOf(next.signsFrom + limits.keyKeptMs)).toEqual(["next signing", "old dropped"]);
});

test("one key signs even when the clock was set back to before all of them", () => {
  expect(statesOf(-DAY)).toEqual(["next published", "old signing"]);
});

test("a key is kept for a token's life and for nodes that were cut off while it changed", () => {
  expect(limits.keyKeptMs).toBeGreaterThan(1_000 * limits.accessTokenSeconds + limits.keysStaleMs);
  expect(limits.keyPublishedMs).toBeGreaterThanOrEqual(limits.keysMaxAgeMs + limits.keysStaleMs);
});

test("by the calendar the next key is published a day before it is due, and only one", () => {
  const due = (now: number, everyDays: number, keys = [old]) => dueAt(statesAt(keys, now), now, everyDays * DAY);
  expect(due(89 * DAY - 1, 90)).toBeUndefined();
  expect(due(89 * DAY, 90)).toBe(90 * DAY);
  expect(due(89 * DAY, 90, [old, key("waits", 90 * DAY)])).toBeUndefined();
  expect(due(500 * DAY, 90)).toBe(501 * DAY);
  expect(due(10_000 * DAY, 0)).toBeUndefined();
  expect(due(DAY / 2, 1)).toBe(DAY);
});
