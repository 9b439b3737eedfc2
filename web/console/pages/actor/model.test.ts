import { expect, test } from "@jest/globals";
import { commandOf, versionIn } from "./model.ts";

test("a URL may say a version of the past, and nothing else", () => {
  expect(versionIn("2", 5)).toBe(2);
  expect(versionIn("0", 5)).toBe(0);
  for (const none of [undefined, "5", "9", "-1", "1.5", "x"]) expect(versionIn(none, 5)).toBeUndefined();
});

test("the same is shown by a command", () => {
  const order = { type: "order", id: "42" };
  expect(commandOf(order, undefined)).toBe("actor order 42");
  expect(commandOf(order, 3)).toBe("actor order 42 --at 3");
});
