import { expect, test } from "@jest/globals";
import { pathBack } from "./model.ts";

test.each([
  ["/products/1?x=2", "/products/1?x=2"],
  [undefined, "/"],
  ["//evil.example", "/"],
  ["/\\evil.example", "/"],
  ["https://evil.example", "/"],
  ["/a\n/b", "/"],
  ["/sign-in?back=/", "/"],
])("after a sign-in from %j one is at %j", (given, path) => expect(pathBack(given)).toBe(path));
