import { expect, test } from "@jest/globals";
import { checkShape } from "./body.ts";

test("a body's keys and depth are checked without recursion below the deepest level", () => {
  expect(() => checkShape({ a: [{ b: 1 }] }, 3)).not.toThrow();
  expect(() => checkShape({ a: [{ b: [] }] }, 3)).toThrow(expect.objectContaining({ type: "BODY_TOO_DEEP" }));
  expect(() => checkShape(JSON.parse('{"a":[{"__proto__":{}}]}'), 20)).toThrow(
    expect.objectContaining({ type: "FORBIDDEN_KEY" }),
  );
});
