import { expect, test } from "@jest/globals";
import { canonicalJson, fingerprintOf, storableJson } from "./json.ts";

test("P3 equal values have equal text, whatever the order of their keys", () => {
  expect(canonicalJson({ b: [1, { d: null, c: "x" }], a: true })).toBe('{"a":true,"b":[1,{"c":"x","d":null}]}');
  expect(canonicalJson({ a: undefined, b: [undefined] })).toBe('{"b":[null]}');
  expect(canonicalJson(undefined)).toBe("null");
});

test.each(['a"b', "back\\slash", "line\nbreak", "\0", "half \ud83d", "ü 😀", ""])(
  "text is as JSON has it: %j",
  text => {
    expect(canonicalJson({ [text]: text })).toBe(JSON.stringify({ [text]: text }));
  },
);

test("P3 the fingerprint of a command is the one that is recorded with it", () => {
  expect(fingerprintOf("place", { lines: [{ quantity: 1, bookId: "p" }], note: 'a "b"' })).toBe(
    "uUvqejOTaruFpNP-_7StniMjJ1uBOxPynDWtwxWS69A",
  );
});

test("a stored value is read as it was", () => {
  const value = { text: "null", nothing: null, list: [null, 1], left: undefined, nested: { n: -0.5 } };
  expect(JSON.parse(storableJson(value, "x"))).toEqual(value);
});

const cycle: Record<string, unknown> = {};
cycle["self"] = cycle;
test.each([
  ["nothing", undefined, "x: JSON cannot hold undefined"],
  ["a function", () => 1, "x: JSON cannot hold function"],
  ["a number that is none", { a: [{ b: Number.NaN }] }, "x.a.0.b: JSON cannot hold NaN"],
  ["a number without end", { a: Infinity }, "x.a: JSON cannot hold Infinity"],
  ["an item that is left out of a list", { a: [1, undefined] }, "x.a.1: JSON cannot hold undefined in a list"],
  ["a BigInt", { a: 1n }, "BigInt"],
  ["a cycle", cycle, "circular"],
])("what JSON cannot hold is not stored: %s", (_what, value, message) => {
  expect(() => storableJson(value, "x")).toThrow(message);
  expect(() => storableJson(value, "x")).toThrow(TypeError);
});
