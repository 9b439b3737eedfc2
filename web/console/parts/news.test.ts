import { expect, test } from "@jest/globals";
import { fits, newsOf, type Rows } from "./news.ts";

const rows = (...keys: string[]): Rows => keys.map(key => [key, key]);

test("values may change in place; rows that come, go or move wait", () => {
  expect(fits([["a", "1"]], [["a", "2"]])).toBe(true);
  expect(fits([], rows("a", "b"))).toBe(true);
  expect(fits(rows("a"), [])).toBe(false);
  expect(fits(rows("a", "b"), rows("b", "a"))).toBe(false);
  expect(fits(rows("a", "b"), rows("a", "b", "c"))).toBe(false);
});

test.each([
  [rows("a"), rows("c", "b", "a"), "2 new"],
  [rows("a", "b"), rows("b", "c"), "1 new, 1 gone"],
  [rows("a"), [], "1 gone"],
  [rows("a", "b"), rows("b", "a"), "Another order"],
])("%j, then %j: %s", (...[shown, found, says]) => expect(newsOf(shown, found)).toBe(says));
