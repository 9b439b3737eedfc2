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

test("of unknown keys and of items past the limit so many are told as help, without a look at the others", () => {
  const lines = Type.Optional(Type.Array(Type.Object({ sku: Type.String() }), { maxItems: 3 }));
  const bounded = compileSchema(strictObject({ amount: Type.Integer(), lines }));
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`k${n}`, 0]));
  const issues = bounded({ ...many, amount: 1 });
  expect(issues).toHaveLength(20);
  expect(issues).toContainEqual({ field: "k0", message: "is not allowed" });
  expect(bounded({ amount: 1, lines: Array.from({ length: 5_000 }, () => 0) })).toEqual([
    { field: "lines", message: "must NOT have more than 3 items" },
  ]);
});
