import { expect, test } from "@jest/globals";
import { checkShape, parseBody } from "./body.ts";

test("a body's keys and depth are checked without recursion below the deepest level", () => {
  expect(() => checkShape({ a: [{ b: 1 }] }, 3)).not.toThrow();
  expect(() => checkShape({ a: [{ b: [] }] }, 3)).toThrow(expect.objectContaining({ type: "BODY_TOO_DEEP" }));
  expect(() => checkShape(JSON.parse('{"a":[{"__proto__":{}}]}'), 20)).toThrow(
    expect.objectContaining({ type: "FORBIDDEN_KEY" }),
  );
});

test.each([
  ['{"a":"plain, ünïcode 🛒 and \\n"}', true],
  ['{"a":"\\u0000"}', false],
  ['{"\\ud83d":1}', false],
  ["", true],
])("the body %j is known to hold text only: %s", (text, isPlain) =>
  expect(parseBody(Buffer.from(text)).isPlain).toBe(isPlain),
);
