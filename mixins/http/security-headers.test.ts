import { expect, test } from "@jest/globals";
import { PAGE_HEADERS, SECURITY_HEADERS } from "./security-headers.ts";

test("an answer may load nothing, be framed by nobody, and be read as nothing else", () => {
  expect(Object.fromEntries(SECURITY_HEADERS)).toEqual({
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Permitted-Cross-Domain-Policies": "none",
  });
});

test("a page may load from its own origin alone, and nothing inline", () => {
  const headers = Object.fromEntries(PAGE_HEADERS);
  expect(headers["Content-Security-Policy"]).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; /);
  expect(headers["Content-Security-Policy"]).not.toMatch(/unsafe|\*|https?:|blob:/);
  expect(headers).toMatchObject({ "Cross-Origin-Opener-Policy": "same-origin", "X-Frame-Options": "DENY" });
  for (const [name] of SECURITY_HEADERS) expect(headers).toHaveProperty(name);
});
