import { expect, test } from "@jest/globals";
import { pathBack, registerAt, signInAt } from "./back.ts";

test.each([
  ["/products/1?x=2", "/products/1?x=2"],
  [undefined, "/"],
  ["//evil.example", "/"],
  ["/\\evil.example", "/"],
  ["https://evil.example", "/"],
  ["/a\n/b", "/"],
  ["/sign-in?back=/", "/"],
  ["/register", "/"],
])("after a sign-in from %j one is at %j", (given, path) => expect(pathBack(given)).toBe(path));

test("the entrances lead back to where one was, through each other too", () => {
  expect(signInAt("/search?q=mug")).toBe("/sign-in?back=%2Fsearch%3Fq%3Dmug");
  expect(registerAt("/sign-in?back=%2Fcheckout")).toBe("/register?back=%2Fcheckout");
  expect(signInAt("/register?back=%2F%2Fevil.example")).toBe("/sign-in");
  expect(signInAt("/")).toBe("/sign-in");
});
