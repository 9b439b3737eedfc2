import { expect, test } from "@jest/globals";
import { announce, announcedText, takeAnnouncements } from "./announcements.ts";

test("lines stand below the heading, in one column, with the one that is shown only once at the end", () => {
  const broker = {};
  announce({ broker }, { lines: () => [["admin", "root@example.com"]], shown: async () => {} });
  announce({ broker }, { heading: "It is open.", lines: () => [["API", "http://localhost:3000"]] });
  announce({ broker }, { lines: () => [["a long label", "x"]] });
  expect(announcedText(takeAnnouncements(broker))).toBe(
    [
      "",
      "It is open.",
      "  API          http://localhost:3000",
      "  a long label x",
      "  admin        root@example.com",
      "",
      "",
    ].join("\n"),
  );
});

test("lines without a heading get one; a process that has nothing to tell writes nothing", () => {
  expect(announcedText([{ lines: () => [["admin", "root@example.com"]] }])).toBe(
    "\nReady.\n  admin      root@example.com\n\n",
  );
  expect(announcedText([{ lines: () => [] }])).toBe("");
});

test("announcements that were taken are not kept: a password stays in memory no longer than it is needed", () => {
  const broker = {};
  announce({ broker }, { lines: () => [["admin", "secret"]] });
  expect(takeAnnouncements(broker)).toHaveLength(1);
  expect(takeAnnouncements(broker)).toEqual([]);
});
