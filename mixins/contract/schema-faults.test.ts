import { describe, expect, test } from "@jest/globals";
import Type, { type TSchema } from "typebox";
import { compileParams, compileSchema, defineContract, strictObject } from "./index.ts";

const line = (code: TSchema) => Type.Array(strictObject({ code }));

describe("a schema that is wrong is named by its service, action and field", () => {
  test.each<[mistake: string, schema: TSchema, said: string]>([
    ["an unknown format", Type.String({ format: "dat" }), 'x: unknown format "dat"'],
    ["an unknown keyword", line(Type.String({ minLenght: 3 })), 'x[].code: unknown keyword "minLenght"'],
    ["a pattern that is none", Type.Optional(Type.String({ pattern: "(" })), "x: pattern: Invalid regular expression"],
    ["a keyword of another type", Type.String({ minLength: "3" as never }), "x.minLength: must be integer"],
    ["a bound below zero", line(Type.String({ minLength: -3 })), "x[].code.minLength: must be >= 0"],
    ["bounds that exclude each other", Type.Integer({ minimum: 4, maximum: 3 }), "x: minimum 4 is above maximum 3"],
    [
      "lengths that do",
      line(Type.String({ minLength: 9, maxLength: 3 })),
      "x[].code: minLength 9 is above maxLength 3",
    ],
    ["one branch of several", Type.Union([Type.Null(), Type.String({ format: "dat" })]), "x: unknown format"],
    ["no schema at all", undefined as never, "x: is no schema"],
  ])("%s", (_mistake, schema, said) => {
    const define = (parts: object) => () => defineContract({ service: "loyalty", ...parts });
    expect(define({ commands: { open: { x: schema } } })).toThrow(`loyalty.open: params.${said}`);
    expect(define({ state: { x: schema } })).toThrow(`loyalty: state.${said}`);
    expect(define({ events: { "loyalty.opened": { x: schema } } })).toThrow(`loyalty: event loyalty.opened.${said}`);
    const list = { params: {}, returns: Type.Array(Type.Unknown()) };
    expect(define({ actions: { list: { ...list, params: { x: schema } } } })).toThrow(`loyalty.list: params.${said}`);
  });

  test("a mistake that only Ajv finds is named too", () => {
    const nested = Type.Unsafe({ type: "object", properties: { y: { properties: { z: { type: "string" } } } } });
    for (const compile of [compileSchema, compileParams])
      expect(() => compile(strictObject({ x: nested }), "loyalty.open: params")).toThrow(
        'loyalty.open: params.x.y: missing type "object" for keyword "properties"',
      );
    const text = Type.String({ "x-text": "lin", maxLength: 3 });
    expect(() => compileSchema(strictObject({ x: text }), "loyalty.open: params")).toThrow(/^loyalty.open: params.x: /);
  });
});

test("an answer and a reply are checked as well", () => {
  const wrong = { amount: Type.Integer({ minimun: 1 }) };
  expect(() =>
    defineContract({ service: "tills", actions: { count: { params: {}, returns: Type.Object(wrong) } } }),
  ).toThrow('tills.count: returns.amount: unknown keyword "minimun"');
  expect(() => defineContract({ service: "tills", commands: { open: {} }, replies: { open: wrong } })).toThrow(
    'tills.open: reply.amount: unknown keyword "minimun"',
  );
});
