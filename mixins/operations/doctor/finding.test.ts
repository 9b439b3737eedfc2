import { expect, test } from "@jest/globals";
import { attempt, count, duration, lineOf, reasonOf, warn } from "./finding.ts";

test("a finding is one line that ends with the advice", () => {
  expect(lineOf({ subject: "wishes", ...warn("lag", "3 events", "start it") })).toBe(
    "warn  wishes          lag          3 events → start it",
  );
});

test("numbers come with their noun and unit", () => {
  expect([count(1, "event"), count(1_234, "event"), count(2, "index", "indexes")]).toEqual([
    "1 event",
    "1,234 events",
    "2 indexes",
  ]);
  expect([0.4, 999, 1_000, 119_000, 120_000, 7_200_000].map(duration)).toEqual([
    "0 ms",
    "999 ms",
    "1 s",
    "119 s",
    "2 min",
    "2 h",
  ]);
});

test("a check that throws is a failure with the reason on one line", async () => {
  const [found] = await attempt("clock", () => Promise.reject(new Error("no\nclock")));
  expect(found).toMatchObject({ status: "FAIL", check: "clock", message: "could not be checked: no clock" });
});

test("a host that refuses on all its addresses has a reason too", () => {
  expect(reasonOf(new AggregateError([new Error("connect ECONNREFUSED ::1:1")], ""))).toBe(
    "connect ECONNREFUSED ::1:1",
  );
});
