import { expect, test } from "@jest/globals";
import { brokenTextIn } from "./text.ts";

test("a NUL and half a surrogate pair are named by their path, wherever they are", () => {
  const body = { name: "a\0", lines: [{ code: "ok" }, { code: "\ud83d" }], note: { text: "\udc00x" } };
  expect(brokenTextIn(body).map(({ field }) => field)).toEqual(["name", "lines.1.code", "note.text"]);
});

test("every other text is let through", () =>
  expect(brokenTextIn({ a: "🛒 ünïcode \u0001 \ufffd", b: null, c: 1, d: [true, ""] })).toEqual([]));
