import { expect, test } from "@jest/globals";
import { announcedText } from "@valence/runtime/kernel";
import { addressLines, HEADING } from "./ready-text.ts";

test("a later start shows the addresses alone", () => {
  const lines = () => addressLines({ api: "http://localhost:3000", provider: "http://localhost:4010" });
  const text = announcedText([{ heading: HEADING, lines }]);
  expect(text).toContain("http://localhost:3000/api/v1");
  expect(text).toContain("http://localhost:4010/ledger");
  expect(text).not.toContain("admin");
  expect(text.split("\n").slice(0, 3)).toEqual(["", "The shop is open.", "  API        http://localhost:3000/api/v1"]);
});

test("where there are pages, they come first", () => {
  expect(addressLines({ api: "http://localhost:3000", hasPages: true }).slice(0, 2)).toEqual([
    ["shop", "http://localhost:3000"],
    ["console", "http://localhost:3000/console"],
  ]);
  expect(addressLines({ provider: "http://localhost:4010", hasPages: true })).toHaveLength(1);
});
