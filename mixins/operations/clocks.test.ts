import { expect, test } from "@jest/globals";
import { clockState } from "./clocks.ts";

/** A question that takes `outMs` out, `inMs` back and `workMs` there, at a node whose clock is `aheadMs` ahead. */
function meeting({ aheadMs = 0, outMs = 1, inMs = 1, workMs = 0 }) {
  const sentAt = 1_000_000;
  const askedAt = sentAt + outMs + aheadMs;
  const answeredAt = askedAt + workMs;
  return { sentAt, askedAt, answeredAt, cameAt: sentAt + outMs + workMs + inMs };
}

test.each([
  [{ aheadMs: 0 }, "ok", 0, 1],
  [{ aheadMs: 400, outMs: 20, inMs: 20, workMs: 900 }, "ok", 400, 20],
  [{ aheadMs: -1_500 }, "warn", -1_500, 1],
  [{ aheadMs: 45_000 }, "FAIL", 45_000, 1],
  // Ways of different length look like a difference; it is within the error.
  [{ aheadMs: 0, outMs: 4_000, inMs: 0 }, "ok", 2_000, 2_000],
])("%o is %s", (way, status, offsetMs, errorMs) => {
  expect(clockState(meeting(way))).toMatchObject({ status, figures: { offsetMs, errorMs } });
});

test("the message says which way, and how sure that is", () => {
  expect(clockState(meeting({ aheadMs: -1_500 })).message).toBe("1500 ms behind the node that asks, ± 1 ms");
});
