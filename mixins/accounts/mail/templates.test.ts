import { expect, test } from "@jest/globals";
import { escapeHtml } from "../../mail/letter.ts";
import { mailOf } from "./templates.ts";

const token = "t".repeat(43);
const told = { site: "library.example", token, link: `https://library.example/reset-password#token=${token}` };

test("a mail is plain text of short lines and the same as HTML, with the link and the token", () => {
  const { subject, text, html } = mailOf("reset-password", told);
  expect(subject).toBe("Set a new password");
  expect(text).toContain(`\n${token}\n`);
  expect(text).toContain(`\n${told.link}\n`);
  expect(text.split("\n").filter(line => line.length > 72 && !line.startsWith("https://"))).toEqual([]);
  expect(html).toContain(`<a href="${escapeHtml(told.link)}">Set a new password</a>`);
  expect(html).toContain(`<code>${token}</code>`);
});

test("without an address of the API there is no link, and the token remains", () => {
  const { text, html } = mailOf("verify-email", { site: undefined, token, link: undefined });
  expect(text).not.toContain("http");
  expect(html).not.toContain("href");
  expect(text).toContain(token);
});

test("a note that the password was changed has neither link nor token: there is nothing to click", () => {
  const { text, html } = mailOf("password-changed", told);
  expect(text + html).not.toContain(token);
  expect(text).toContain("your account at library.example");
});

test("markup in a value stays text", () => {
  const { html } = mailOf("verify-email", {
    ...told,
    site: `"><script>alert(1)</script>`,
    link: `https://x/"onclick='`,
  });
  expect(html).not.toContain("<script>");
  expect(html).toContain("&#60;script&#62;");
  expect(html).toContain(`href="https://x/&#34;onclick=&#39;"`);
});
