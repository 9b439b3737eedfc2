import { expect, test } from "@jest/globals";
import { callOf, duration, failureOf, progressOf, wordOf, type StepCall } from "./model.ts";

const call = (step: string, item: number, status: string): StepCall => ({
  step,
  item,
  status,
  action: `shelf.${step}`,
  attempt: 1,
  sentAt: "2026-01-01T00:00:00.000Z",
  params: {},
  ...(status === "refused" && { error: { type: "GONE", message: `${step} ${item}` } }),
});

test("a step of no items was not needed, and one of several says how far it is", () => {
  expect([wordOf({ status: "done", calls: 0 }), wordOf({ status: "done", calls: 1 })]).toEqual(["not needed", "done"]);
  expect(wordOf({ status: "refused", calls: 1 })).toBe("failed");
  expect([progressOf({ calls: 3, done: 2 }), progressOf({ calls: 1, done: 1 })]).toEqual(["2 of 3", undefined]);
});

test("the call that hinders stands for its step, and the newest failure for the saga", () => {
  const steps = [call("reserve", 0, "refused"), call("reserve", 1, "done"), call("pay", 0, "sent")];
  expect(callOf(steps, "reserve")?.item).toBe(0);
  expect(callOf(steps, "pay")?.status).toBe("sent");
  expect(callOf(steps, "ship")).toBeUndefined();
  expect(failureOf({ steps })?.error?.message).toBe("reserve 0");
});

test.each([
  [12, "12 ms"],
  [1_500, "1.5 s"],
  [90_000, "2 min"],
  [5_400_000, "1.5 h"],
])("%d ms are %s", (ms, text) => expect(duration(ms)).toBe(text));
