import { expect, test } from "@jest/globals";
import type { Received } from "../message.ts";
import { PAGE_LIMITS, Pages } from "./pages.ts";

/** Message `index` of a page of so many, from one cursor to another. */
const message = (after: string, upTo: string, index: number, count: number): Received => ({
  origin: "log",
  after,
  upTo,
  index,
  count,
  size: 0,
  digest: "",
});
const told = (pages: Pages, now = 0): string[] =>
  pages.take(now).map(({ after, upTo, index }) => `${after}-${upTo}:${index}`);

test("the messages of a page are told in their order, once all are there", () => {
  const pages = new Pages();
  for (const index of [3, 1]) pages.add(message("", "3", index, 3), 0);
  expect(told(pages)).toEqual([]);
  // Published twice, as after a crash.
  pages.add(message("", "3", 3, 3), 0);
  pages.add(message("", "3", 2, 3), 0);
  expect(told(pages)).toEqual(["-3:1", "-3:2", "-3:3"]);
  expect(told(pages)).toEqual([]);
});

test("pages are told in the log's order: one that came first waits for those before it", () => {
  const pages = new Pages();
  pages.add(message("", "1", 1, 1), 0);
  expect(told(pages)).toEqual(["-1:1"]);
  pages.add(message("2", "3", 1, 1), 0);
  pages.add(message("1", "2", 1, 2), 0);
  expect(told(pages)).toEqual([]);
  expect(pages.isHolding).toBe(true);
  pages.add(message("1", "2", 2, 2), 0);
  expect(told(pages)).toEqual(["1-2:1", "1-2:2", "2-3:1"]);
  expect(pages.isHolding).toBe(false);
});

test("a page whose predecessor does not come is told after a while, and what is not whole is forgotten", () => {
  const pages = new Pages();
  pages.add(message("", "1", 1, 1), 0);
  told(pages);
  pages.add(message("1", "2", 1, 2), 0);
  pages.add(message("2", "3", 1, 1), 10);
  expect(told(pages, PAGE_LIMITS.holdMs + 9)).toEqual([]);
  expect(told(pages, PAGE_LIMITS.holdMs + 10)).toEqual(["2-3:1"]);
  told(pages, PAGE_LIMITS.forgetMs + 1);
  pages.add(message("1", "2", 2, 2), PAGE_LIMITS.forgetMs + 2);
  expect(told(pages, PAGE_LIMITS.forgetMs + 2)).toEqual([]);
});

test("messages with numbers of no page do nothing, and pages that never end are kept up to a limit", () => {
  const pages = new Pages();
  pages.add(message("", "2", 1, 2), 0);
  pages.add({ ...message("", "2", 3, 3), index: 3 }, 0);
  expect(told(pages)).toEqual([]);
  for (let i = 0; i < PAGE_LIMITS.pages; i++) pages.add(message(`x${i}`, "y", 1, 2), 0);
  pages.add(message("", "2", 2, 2), 0);
  expect(told(pages)).toEqual([]);
});
