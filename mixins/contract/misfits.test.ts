import { expect, test } from "@jest/globals";
import Type, { type TSchema } from "typebox";
import { misfitsOf, type Shape } from "./misfits.ts";
import { PERSONAL } from "./personal.ts";

/** The misfits when data of the shape before is read by the code after (backward), and the other way round (forward). */
const between = (before: TSchema, after: TSchema): { backward: string[]; forward: string[] } => {
  const told = (writes: TSchema, reads: TSchema, ignoresUnknown: boolean): string[] =>
    misfitsOf(writes as Shape, reads as Shape, { ignoresUnknown }).map(
      ({ path, rule, reads, writes }) => `${path} ${rule} ${reads} < ${writes}`,
    );
  return { backward: told(before, after, false), forward: told(after, before, true) };
};

const object = (fields: Record<string, TSchema>) => Type.Object(fields, { additionalProperties: false });
const open = (fields: Record<string, TSchema>) => Type.Object(fields);
const text = Type.String();
const n = Type.Integer();
const cash = object({ kind: Type.Literal("cash"), given: n });
const card = object({ kind: Type.Literal("card"), last4: text });

interface Case {
  readonly before: TSchema;
  readonly after: TSchema;
  readonly backward?: string[];
  readonly forward?: string[];
}
const CASES: Record<string, Case> = {
  "nothing changes": { before: object({ a: text }), after: object({ a: text }) },
  "words for people": {
    before: object({ a: text }),
    after: object({
      a: Type.String({ title: "A", description: "a", examples: ["x"], default: "y", writeOnly: true, ...PERSONAL }),
    }),
  },
  "a new optional field": { before: object({ a: text }), after: object({ a: text, b: Type.Optional(n) }) },
  "a new required field": {
    before: object({ a: text }),
    after: object({ a: text, b: n }),
    backward: ["b presence required < absent"],
  },
  "an optional field becomes required": {
    before: object({ a: Type.Optional(text) }),
    after: object({ a: text }),
    backward: ["a presence required < optional"],
  },
  "a required field becomes optional": {
    before: object({ a: text }),
    after: object({ a: Type.Optional(text) }),
    forward: ["a presence required < optional"],
  },
  "a required field is removed": {
    before: object({ a: text, b: n }),
    after: object({ a: text }),
    backward: ["b presence absent < required"],
    forward: ["b presence required < absent"],
  },
  "an optional field is removed": {
    before: object({ a: Type.Optional(text) }),
    after: object({}),
    backward: ["a presence absent < optional"],
  },
  "a field of an open object is removed": {
    before: open({ a: Type.Optional(text) }),
    after: open({}),
    backward: ["a presence absent < optional"],
  },
  "another type": {
    before: object({ a: text }),
    after: object({ a: n }),
    backward: ["a type integer < string"],
    forward: ["a type string < integer"],
  },
  "an integer becomes a number": {
    before: object({ a: n }),
    after: object({ a: Type.Number() }),
    forward: ["a type integer < number"],
  },
  "a typed field becomes any value": {
    before: object({ a: n }),
    after: object({ a: Type.Unknown() }),
    forward: ["a type integer < value"],
  },
  "a range is narrowed at its start": {
    before: object({ a: n }),
    after: object({ a: Type.Integer({ minimum: 1 }) }),
    backward: ["a minimum 1 < none"],
  },
  "a range is widened at its end": {
    before: object({ a: Type.Integer({ maximum: 10 }) }),
    after: object({ a: Type.Integer({ maximum: 20 }) }),
    forward: ["a maximum 10 < 20"],
  },
  "the same bound of integers, exclusive": {
    before: object({ a: Type.Integer({ minimum: 1 }) }),
    after: object({ a: Type.Integer({ exclusiveMinimum: 0 }) }),
  },
  "a bound of numbers becomes exclusive": {
    before: object({ a: Type.Number({ minimum: 2 }) }),
    after: object({ a: Type.Number({ exclusiveMinimum: 2 }) }),
    backward: ["a exclusiveMinimum 2 < none"],
  },
  "an exclusive upper bound": {
    before: object({ a: Type.Number() }),
    after: object({ a: Type.Number({ exclusiveMaximum: 0 }) }),
    backward: ["a exclusiveMaximum 0 < none"],
  },
  "another multiple": {
    before: object({ a: Type.Integer({ multipleOf: 10 }) }),
    after: object({ a: Type.Integer({ multipleOf: 5 }) }),
    forward: ["a multipleOf 10 < 5"],
  },
  "a longer text": {
    before: object({ a: Type.String({ minLength: 1, maxLength: 10 }) }),
    after: object({ a: Type.String({ maxLength: 20 }) }),
    forward: ["a minLength 1 < none", "a maxLength 10 < 20"],
  },
  "a pattern": {
    before: object({ a: text }),
    after: object({ a: Type.String({ pattern: "^x" }) }),
    backward: ["a pattern ^x < none"],
  },
  "another pattern, of which nobody can tell": {
    before: object({ a: Type.String({ pattern: "^y" }) }),
    after: object({ a: Type.String({ pattern: "^x" }) }),
    backward: ["a pattern ^x < ^y"],
    forward: ["a pattern ^y < ^x"],
  },
  "another format": {
    before: object({ a: Type.String({ format: "uuid" }) }),
    after: object({ a: text }),
    forward: ["a format uuid < none"],
  },
  "an enumeration gets a value": {
    before: object({ a: Type.Enum(["x"]) }),
    after: object({ a: Type.Enum(["x", "y"]) }),
    forward: ["a values x < y"],
  },
  "an enumeration loses a value": {
    before: object({ a: Type.Enum(["x", "y"]) }),
    after: object({ a: Type.Enum(["x"]) }),
    backward: ["a values x < y"],
  },
  "an enumeration becomes text": {
    before: object({ a: Type.Enum(["x"]) }),
    after: object({ a: text }),
    forward: ["a values x < any string"],
  },
  "an enumeration becomes a union of literals": {
    before: object({ a: Type.Enum(["x", "y"]) }),
    after: object({ a: Type.Union([Type.Literal("x"), Type.Literal("y")]) }),
  },
  "a nested field": {
    before: object({ a: object({ b: object({ c: n }) }) }),
    after: object({ a: object({ b: object({ c: text }) }) }),
    backward: ["a.b.c type string < integer"],
    forward: ["a.b.c type integer < string"],
  },
  "the items of a list": {
    before: object({ a: Type.Array(object({ b: n })) }),
    after: object({ a: Type.Array(object({ b: n, c: n })) }),
    backward: ["a[].c presence required < absent"],
  },
  "the length of a list": {
    before: object({ a: Type.Array(n, { maxItems: 5 }) }),
    after: object({ a: Type.Array(n, { minItems: 1, maxItems: 5 }) }),
    backward: ["a minItems 1 < none"],
  },
  "a list becomes one without repetitions": {
    before: object({ a: Type.Array(n) }),
    after: object({ a: Type.Array(n, { uniqueItems: true }) }),
    backward: ["a uniqueItems true < none"],
  },
  "a place in a tuple": {
    before: object({ a: Type.Tuple([text, n]) }),
    after: object({ a: Type.Tuple([text, text]) }),
    backward: ["a[1] type string < integer"],
    forward: ["a[1] type integer < string"],
  },
  "a tuple gets a place": {
    before: object({ a: Type.Tuple([text]) }),
    after: object({ a: Type.Tuple([text, n]) }),
    backward: ["a minItems 2 < 1"],
    forward: ["a[1] presence refused < allowed"],
  },
  "a list becomes a single value": {
    before: object({ a: Type.Array(n) }),
    after: object({ a: n }),
    backward: ["a type integer < array"],
    forward: ["a type array < integer"],
  },
  "a union gets a shape": {
    before: object({ a: Type.Union([cash]) }),
    after: object({ a: Type.Union([cash, card]) }),
    forward: ["a.given presence required < absent", "a.kind values cash < card"],
  },
  "a union loses a shape": {
    before: object({ a: Type.Union([n, Type.Null()]) }),
    after: object({ a: n }),
    backward: ["a type integer < null"],
  },
  "one shape of a union changes": {
    before: object({ a: Type.Union([cash, card]) }),
    after: object({ a: Type.Union([cash, object({ kind: Type.Literal("card"), last4: text, network: text })]) }),
    backward: ["a.network presence required < absent"],
  },
  "shapes of a union change places": {
    before: object({ a: Type.Union([cash, card, Type.Null()]) }),
    after: object({ a: Type.Union([Type.Null(), card, cash]) }),
  },
  "an object is closed": {
    before: object({ a: open({ b: n }) }),
    after: object({ a: object({ b: n }) }),
    backward: ["a further fields refused < allowed"],
  },
  "an object is opened": {
    before: object({ a: object({ b: n }) }),
    after: object({ a: open({ b: n }) }),
    forward: ["a further fields refused < allowed"],
  },
  "the values of a record": {
    before: object({ a: Type.Record(Type.String(), n) }),
    after: object({ a: Type.Record(Type.String(), text) }),
    backward: ["a{} type string < integer"],
    forward: ["a{} type integer < string"],
  },
  "a record gets a field of its own": {
    before: object({ a: Type.Record(Type.String(), n) }),
    after: object({ a: Type.Object({ b: Type.Optional(text) }, { additionalProperties: n }) }),
    backward: ["a.b type string < integer"],
    forward: ["a.b type integer < string"],
  },
  "other keys of a record": {
    before: object({ a: Type.Record(Type.String({ pattern: "^x" }), n) }),
    after: object({ a: Type.Record(Type.String({ pattern: "^y" }), n) }),
    backward: ['a patternProperties {"^y":{"type":"integer"}} < {"^x":{"type":"integer"}}'],
    forward: ['a patternProperties {"^x":{"type":"integer"}} < {"^y":{"type":"integer"}}'],
  },
  "a keyword that is not compared": {
    before: object({ a: text }),
    after: object({ a: Type.Unsafe({ type: "string", not: { const: "" } }) }),
    backward: ['a not {"const":""} < none'],
  },
};

test.each(Object.entries(CASES))("%s", (_name, { before, after, backward = [], forward = [] }) =>
  expect(between(before, after)).toEqual({ backward, forward }),
);
