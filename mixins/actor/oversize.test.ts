import { expect, test } from "@jest/globals";
import { oversizeOf } from "./oversize.ts";

const event = (data: string) => ({ type: "thing.done", schemaVersion: 1, data });

test("an event or an answer of more bytes than can be carried is refused, also beside small ones", () => {
  expect(oversizeOf({ kind: "do", events: [event("x".repeat(99)), event("x".repeat(100))] }, 100)).toBeUndefined();
  expect(oversizeOf({ kind: "do", events: [event("{}"), event("x".repeat(101))] }, 100)).toMatchObject({
    type: "EVENT_TOO_LARGE",
    code: 413,
    message: "do makes an event thing.done of 101 bytes; at most 100 can be carried",
  });
  // Bytes, not characters.
  expect(oversizeOf({ kind: "do", events: [event("漢".repeat(34))] }, 100)).toMatchObject({ type: "EVENT_TOO_LARGE" });
  expect(oversizeOf({ kind: "do", answer: "漢".repeat(33) }, 100)).toBeUndefined();
  expect(oversizeOf({ kind: "do", answer: "漢".repeat(34) }, 100)).toMatchObject({
    type: "ANSWER_TOO_LARGE",
    code: 413,
  });
});
