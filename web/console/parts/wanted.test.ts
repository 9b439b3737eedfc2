import { expect, test } from "@jest/globals";
import { wantedBy } from "./wanted.ts";

const key = (key: string, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, ...more });
const page = { tagName: "BODY", isContentEditable: false };
const field = { tagName: "INPUT", isContentEditable: false };

test("Ctrl-K finds wherever one is; a question mark shows the keys, but in a field it is one", () => {
  expect(wantedBy(key("k", { ctrlKey: true }), field)).toBe("find");
  expect(wantedBy(key("K", { metaKey: true }), page)).toBe("find");
  expect(wantedBy(key("?"), page)).toBe("keys");
  expect(wantedBy(key("?"), field)).toBeUndefined();
  expect(wantedBy(key("?"), { tagName: "DIV", isContentEditable: true })).toBeUndefined();
});

test("other keys are the browser's", () => {
  expect(wantedBy(key("k"), page)).toBeUndefined();
  expect(wantedBy(key("k", { ctrlKey: true, altKey: true }), page)).toBeUndefined();
  expect(wantedBy(key("p", { ctrlKey: true }), page)).toBeUndefined();
});
