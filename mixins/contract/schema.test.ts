import { expect, jest, test } from "@jest/globals";
import Type from "typebox";
import { ajv } from "./ajv.ts";
import { compileParams, compileSchema, EntityId, strictObject } from "./index.ts";

const check = compileSchema(strictObject({ amount: Type.Integer() }));

test("a wrong field is named, and a value that cannot be looked at is a bug with a type", () => {
  expect(check({ amount: 1 })).toBe(true);
  expect(check({ amount: 1n })).toEqual([{ field: "amount", message: "must be integer" }]);
  const odd = {
    get amount(): number {
      throw new Error("a getter");
    },
  };
  expect(() => check(odd)).toThrow(expect.objectContaining({ type: "CHECK_FAILED", code: 500 }));
});

test("a value with too many keys or items is refused with a few of them, without a look at the others", () => {
  const lines = Type.Optional(Type.Array(Type.Object({ code: Type.String() }), { maxItems: 3 }));
  const bounded = compileSchema(strictObject({ amount: Type.Integer(), lines }));
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`k${n}`, 0]));
  const issues = bounded({ ...many, amount: 1 });
  expect(issues).toHaveLength(20);
  expect(issues).toContainEqual({ field: "k0", message: "is not allowed" });
  const outer = compileSchema(strictObject({ price: strictObject({ amount: Type.Integer() }) }));
  expect(outer({ price: { ...many, amount: 1 } })).toHaveLength(20);
  expect(outer({ price: { ...many, amount: 1 } })).toContainEqual({ field: "price.k0", message: "is not allowed" });
  expect(bounded({ amount: 1, lines: Array.from({ length: 5_000 }, () => 0) })).toEqual([
    { field: "lines", message: "must NOT have more than 3 items" },
  ]);
});

test("params get their UUIDs in lower case, wherever the schema has the format, and nothing else changes", () => {
  const uuid = Type.String({ format: "uuid" });
  const Line = strictObject({ partId: uuid, note: Type.Optional(Type.String()) });
  const checkParams = compileParams(
    strictObject({
      id: Type.Optional(EntityId),
      owner: Type.Optional(uuid),
      ids: Type.Optional(Type.Array(uuid)),
      lines: Type.Optional(Type.Array(Line)),
      either: Type.Optional(Type.Union([Line, Type.Null()])),
    }),
  );
  const lower = "0190a0a0-abcd-7000-8000-00000000ffff";
  const upper = lower.toUpperCase();
  const params = {
    id: upper,
    owner: upper,
    ids: [upper, lower],
    lines: [{ partId: upper, note: upper }],
    either: { partId: upper },
  };
  expect(checkParams(params)).toBe(true);
  expect(params).toEqual({
    id: lower,
    owner: lower,
    ids: [lower, lower],
    lines: [{ partId: lower, note: upper }],
    either: { partId: lower },
  });
  const plain = { id: "BOX-ABC" };
  expect([checkParams(plain), plain]).toEqual([true, { id: "BOX-ABC" }]);
  expect(checkParams(Object.freeze({ owner: lower }))).toBe(true);
  for (const bad of [null, 7, { owner: 7 }, { ids: {} }, { lines: [null] }, { lines: 1 }])
    expect(checkParams(bad)).not.toBe(true);
  // A recorded value is checked as it is.
  const recorded = { owner: upper };
  expect([compileSchema(strictObject({ owner: uuid }))(recorded), recorded]).toEqual([true, { owner: upper }]);
});

test("a refusal lists the allowed values, or says how many there are", () => {
  const part = compileSchema(
    strictObject({
      state: Type.Optional(Type.Enum(["open", "stuck"])),
      size: Type.Optional(Type.Literal(3)),
      code: Type.Optional(Type.Enum(Array.from({ length: 249 }, (_, n) => `C${n}`))),
    }),
  );
  expect(part({ state: "lost" })).toEqual([{ field: "state", message: "must be one of open, stuck" }]);
  expect(part({ size: 4 })).toEqual([{ field: "size", message: "must be one of 3" }]);
  expect(part({ code: "X" })).toEqual([{ field: "code", message: "must be one of the 249 allowed values" }]);
});

test("a schema that occurs again is compiled once, and each check answers for its own value", () => {
  const compile = jest.spyOn(ajv, "compile");
  const again = () => compileSchema(strictObject({ occursAgain: Type.Integer() }));
  const [one, other] = [again(), again()];
  expect(compile).toHaveBeenCalledTimes(1);
  compile.mockRestore();
  const issues = one({});
  expect(other({ occursAgain: 1 })).toBe(true);
  expect(issues).toEqual([{ field: "occursAgain", message: "is required" }]);
});
