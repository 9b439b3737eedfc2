import { expect, test } from "@jest/globals";
import { foldedText, normalText, trimmed } from "./text.ts";

test.each([
  ["\u0065\u0301clair", "\u00e9clair"],
  ["  Ada \u00a0\u200b\ufeff", "Ada"],
  ["\t\u2003Ada\n", "Ada"],
  ["", ""],
  ["\u00a0\u200b\u2060\u3164\u115f\ufe0f\u2800\u00ad", ""],
  ["نام\u200cخانوادگی", "نام\u200cخانوادگی"],
  ["👨‍👩‍👧 ❤️", "👨‍👩‍👧 ❤️"],
])("%j is %j", (typed, normal) => {
  expect(normalText(typed)).toBe(normal);
  expect(normalText(normal)).toBe(normal);
});

test.each(["a\u0007b", "a\nb", "a\tb", "a\u0085b", "a\u2028b", "a\u202eb", "a\u2066b", "a\u200fb", "\ud83d", "a\0"])(
  "%j is no line",
  text => expect(normalText(text)).toBeUndefined(),
);

test("several lines end in LF, and may have tabs, but no more than a line else", () => {
  expect(normalText("a\r\nb\rc\u2028\td\n", { lines: true })).toBe("a\nb\nc\n\td");
  for (const text of ["a\u202eb", "a\u001bb", "a\u0085b"]) expect(normalText(text, { lines: true })).toBeUndefined();
});

test("a text that would cost the square of its length is not composed", () => {
  // Processor time: what others on this machine take does not count.
  const before = process.cpuUsage();
  expect(normalText(`a${"\u0315\u0300".repeat(50_000)}`)).toBeUndefined();
  expect(trimmed(`${" ".repeat(100_000)}a${" ".repeat(100_000)}`)).toBe("a");
  expect(trimmed(`a${`${" ".repeat(50_000)}b`.repeat(2)}`)).toHaveLength(100_003);
  // A second each, uncomposed in milliseconds.
  const { user } = process.cpuUsage(before);
  expect(user / 1_000).toBeLessThan(500);
});

test.each([
  ["Éclair", "eclair"],
  ["E\u0301CLAIR", "eclair"],
  ["ﬁancée", "fiancee"],
  ["ＭＵＧ²", "mug2"],
  ["İstanbul", "istanbul"],
  ["Ελληνικά", "ελληνικα"],
])("%s is folded to %s", (text, folded) => expect(foldedText(text)).toBe(folded));
