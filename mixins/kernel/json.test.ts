import { expect, test } from "@jest/globals";
import { canonicalJson, fingerprintOf } from "./json.ts";

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
  expect(fingerprintOf("place", { lines: [{ quantity: 1, productId: "p" }], note: 'a "b"' })).toBe(
    "y8WzAbN-ZyRFPsPogasU5YPTfMy0fdwXwP9DtnacLtY",
  );
});
