import { expect, test } from "@jest/globals";
import { preferred } from "./accept.ts";

const ours = ["application/json", "text/csv"] as const;

test.each<[string | undefined, string | undefined]>([
  [undefined, "application/json"],
  ["", "application/json"],
  ["*/*", "application/json"],
  ["application/json", "application/json"],
  ["Application/JSON;charset=utf-8", "application/json"],
  ["text/csv", "text/csv"],
  ["text/csv;header=present", "text/csv"],
  ["text/*", "text/csv"],
  ["text/csv, application/json", "application/json"],
  ["text/csv;q=0.9, application/json;q=0.8", "text/csv"],
  ["text/csv ; q=0.2 ,application/json;q=0.8", "application/json"],
  ["*/*;q=0.1, text/csv", "text/csv"],
  ["application/json;q=0, */*", "text/csv"],
  ["text/csv;q=0, text/*", undefined],
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"],
  ["text/html", undefined],
  ["application/problem+json", undefined],
  ["application/json;q=0", undefined],
  ["nonsense", "application/json"],
  [`${"text/html,".repeat(2_000)}text/csv`, "application/json"],
])("Accept: %s", (accept, type) => expect(preferred(accept, ours)).toBe(type));

test("a long header costs no time", () => {
  const startedAt = performance.now();
  for (const piece of ["a", "/", ";q=", " ", ",", '"', "text/csv;"]) preferred(piece.repeat(8_000), ours);
  for (const piece of ["a", "/", ";q=", " ", '"', "text/csv;"]) preferred(piece.repeat(100), ours);
  expect(performance.now() - startedAt).toBeLessThan(100);
});
