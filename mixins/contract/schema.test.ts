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

test("which values are allowed is said", () => {
  const mug = compileSchema(
    strictObject({
      state: Type.Optional(Type.Enum(["open", "stuck"])),
      size: Type.Optional(Type.Literal(3)),
      code: Type.Optional(Type.Enum(Array.from({ length: 249 }, (_, n) => `C${n}`))),
    }),
  );
  expect(mug({ state: "lost" })).toEqual([{ field: "state", message: "must be one of open, stuck" }]);
  expect(mug({ size: 4 })).toEqual([{ field: "size", message: "must be one of 3" }]);
  expect(mug({ code: "X" })).toEqual([{ field: "code", message: "must be one of the 249 allowed values" }]);
});
