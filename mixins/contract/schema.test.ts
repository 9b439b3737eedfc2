import { expect, test } from "@jest/globals";
import Type from "typebox";
import { compileSchema, strictObject } from "./index.ts";

const check = compileSchema(strictObject({ amount: Type.Integer() }));

test("what is wrong is named, a value that cannot be looked at is a bug with a type", () => {
  expect(check({ amount: 1 })).toBe(true);
  expect(check({ amount: 1n })).toEqual([{ field: "amount", message: "must be integer" }]);
  const odd = {
    get amount(): number {
      throw new Error("a getter");
    },
  };
  expect(() => check(odd)).toThrow(expect.objectContaining({ type: "CHECK_FAILED", code: 500 }));
});
