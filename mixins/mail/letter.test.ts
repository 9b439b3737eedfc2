import { expect, test } from "@jest/globals";
import { letter } from "./letter.ts";

const parts = [
  "The book that you have asked for is here, and it is kept at the desk for a week from today on.",
  { link: "https://library.example/desk?a&b", label: "The desk" },
  { token: "t0k3n" },
  { rows: [["Title", "Middlemarch"]] as const },
];

test("a letter is plain text of short lines, and the same as HTML", () => {
  const { subject, text, html } = letter("Your book", parts, "Hello Ada,");
  expect(subject).toBe("Your book");
  expect(text).toBe(`Hello Ada,

The book that you have asked for is here, and it is kept at the desk for
a week from today on.

The desk:
https://library.example/desk?a&b

t0k3n

Title: Middlemarch
`);
  expect(html).toContain("<p>Hello Ada,</p>");
  expect(html).toContain('<a href="https://library.example/desk?a&#38;b">The desk</a>');
  expect(html).toContain("<tr><td>Title</td><td>Middlemarch</td></tr>");
});

test("markup in any part stays text", () => {
  const bad = `"><script>alert('1')</script>`;
  const { html } = letter("x", [bad, { link: bad, label: bad }, { token: bad }, { rows: [[bad, bad]] }], bad);
  expect(html).not.toMatch(/<script|">.*'1'/);
});
