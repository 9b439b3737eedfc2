import { expect, test } from "@jest/globals";
import { originOfShards, type Received } from "./message.ts";
import { PAGE_LIMITS, Pages } from "./pages.ts";

/** Message `index` of a page of so many, from one cursor to another. */
const message = (after: string, upTo: string, index: number, count: number, origin = "log"): Received => ({
  origin,
  after,
  upTo,
  index,
  count,
  size: 1,
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

test("a page that the reader has had, or that begins before its place, is told at once and leads nowhere back", () => {
  const pages = new Pages();
  pages.add(message("", "5", 1, 1), 0);
  pages.add(message("3", "4", 1, 1), 0);
  pages.add(message("4", "6", 1, 1), 0);
  pages.add(message("6", "7", 1, 1), 0);
  expect(told(pages)).toEqual(["-5:1", "3-4:1", "4-6:1", "6-7:1"]);
});

test("a reader that has come to a place by itself gets the page from there next, whichever came first", () => {
  const pages = new Pages();
  pages.add(message("", "900000", 1, 1), 0);
  told(pages);
  pages.goOn("log", "4");
  for (const [after, upTo] of [
    ["6", "7"],
    ["5", "6"],
    ["3", "5"],
  ] as const)
    pages.add(message(after, upTo, 1, 1), 0);
  expect(told(pages)).toEqual(["3-5:1", "5-6:1", "6-7:1"]);
  pages.add(message("8", "9", 1, 1), 0);
  expect(told(pages)).toEqual([]);
  pages.goOn("log", "8");
  expect(told(pages)).toEqual(["8-9:1"]);
});

test("the pages of each database of a log follow on each other alone", () => {
  const pages = new Pages();
  const shards = originOfShards("log");
  const add = (after: string, upTo: string) => pages.add(message(after, upTo, 1, 1, shards), 0);
  pages.goOn("log", "0=1:3,1=1:7");
  add("1=1:8", "1=1:9");
  add("0=1:3", "0=1:5");
  add("2=", "2=1:1");
  expect(told(pages)).toEqual(["0=1:3-0=1:5:1", "2=-2=1:1:1"]);
  add("1=1:7", "1=1:8");
  expect(told(pages)).toEqual(["1=1:7-1=1:8:1", "1=1:8-1=1:9:1"]);
});

test.each([
  ["an index past the page's end", { index: 3 }],
  ["no whole numbers", { index: 0.5, count: 0.5 }],
  ["more messages than a page has", { count: 1e9 }],
  ["cursors of no log", { upTo: "x1" }],
])("a message with %s does nothing", (_what, over) => {
  const pages = new Pages();
  pages.add(message("", "2", 1, 2), 0);
  pages.add({ ...message("", "2", 2, 2), ...over }, 0);
  expect(told(pages)).toEqual([]);
});

test("pages that never end are kept up to a limit, and so are those that wait", () => {
  const pages = new Pages();
  pages.add(message("", "2", 1, 2), 0);
  for (let i = 0; i < PAGE_LIMITS.pages; i++) pages.add(message(`${i}`, `${i + 9}`, 1, 2), 0);
  pages.add(message("", "2", 2, 2), 0);
  expect(told(pages)).toEqual([]);
  const others = new Pages();
  others.goOn("log", "1");
  others.add({ ...message("8", "9", 1, 1), size: PAGE_LIMITS.size + 1 }, 0);
  expect(told(others)).toEqual(["8-9:1"]);
});
