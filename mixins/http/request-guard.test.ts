import { expect, test } from "@jest/globals";
import { isSafePath, requestIdOf } from "./request-guard.ts";

test.each([
  ["/api/v1/books", true],
  ["/.well-known/jwks.json", true],
  ["/a%20b", true],
  ["/a..b", true],
  ["/..", false],
  ["/a/./b", false],
  ["/%2E%2E/", false],
  ["/%2fa", false],
  ["/a%5cb", false],
  ["/a\\b", false],
  ["/a%00", false],
  ["/a%0d%0ab", false],
  ["//a", false],
  ["/%c3%28", false],
  ["/%", false],
])("path %s is safe: %s", (path, safe) => expect(isSafePath(path)).toBe(safe));

test("a request id from outside is taken only if it is harmless", () => {
  expect(requestIdOf("abc_DEF-12")).toBe("abc_DEF-12");
  for (const bad of [undefined, "", "1234567", "a".repeat(65), "12345678\n", ["12345678", "12345678"]])
    expect(requestIdOf(bad)).toMatch(/^[0-9a-f-]{36}$/);
});
