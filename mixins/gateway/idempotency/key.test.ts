import { expect, test } from "@jest/globals";
import { KEY_HEADER, parseKey } from "./key.ts";

test("Idempotency-Key: quoted or bare, 1 to 128, never a list", () => {
  const parse = (key?: string) => parseKey(key === undefined ? {} : { "idempotency-key": key });
  expect(parse()).toBeUndefined();
  expect(parse('"a b c d e"')).toBe("a b c d e");
  expect(parse("1")).toBe("1");
  // Base64, and the characters of an sf-string (RFC 9651): commas too, quotes and backslashes escaped.
  expect(parse("q83vEjRWeJA+/w==")).toBe("q83vEjRWeJA+/w==");
  expect(parse("{e02fd0e4-00fd-090A-ca30-0d00a0038ba0}")).toBe("{e02fd0e4-00fd-090A-ca30-0d00a0038ba0}");
  expect(parse('"a, b"')).toBe("a, b");
  expect(parse(String.raw`"say \"hi\" \\o/"`)).toBe(String.raw`say "hi" \o/`);
  expect(parse(`"${String.raw`\"`.repeat(128)}"`)).toBe('"'.repeat(128));
  expect(parse("8e03978e-40d5-43dd-bc93-6894a57f9324")).toBe("8e03978e-40d5-43dd-bc93-6894a57f9324");
  for (const bad of [
    "",

    "a".repeat(129),
    "key-one, key-two",
    '"key-one", "key-two"',
    '"key"one-two"',
    "key one two",
    String.raw`"a\nb"`,
    String.raw`"a\"`,
    `"${"a".repeat(129)}"`,
    "a;b=1",
    "ключ-ключ",
  ])
    expect(() => parse(bad)).toThrow(expect.objectContaining({ code: 400 }));
});

test("the header's schema in the description takes what the gateway takes", () => {
  const { pattern } = KEY_HEADER.schema as unknown as { pattern: string };
  for (const [key, taken] of [
    ["q83vEjRWeJA+/w==", true],
    ['"a, b"', true],
    ["x", true],
    ["a,b", false],
    ["", false],
  ] as const) {
    expect([key, new RegExp(pattern).test(key)]).toEqual([key, taken]);
    if (taken) expect(parseKey({ "idempotency-key": key })).toBeDefined();
    else expect(() => parseKey({ "idempotency-key": key })).toThrow();
  }
});
