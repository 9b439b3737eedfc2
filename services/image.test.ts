import { expect, test } from "@jest/globals";
import { isPublicImage } from "./image.ts";

test.each([
  "/images/mug.jpg",
  "/images/.../mug..jpg?at=../1",
  "https://cdn.example.com/a.png",
  "https://cdn.example.com.:8443/a?b=c",
  "https://bücher.example/x",
])("%s is a picture's place", text => expect(isPublicImage(text)).toBe(true));

test.each([
  "https://127.0.0.1/x",
  "https://2130706433/x",
  "https://0x7f.1/x",
  "https://[::1]/x",
  "https://localhost/x",
  "https://a.localhost/x",
  "https://metadata.google.internal/x",
  "https://intranet/x",
  "https://user:pass@example.com/x",
  "http://example.com/x",
  "https:///x",
  "/images/../../etc",
  "/./x",
  "/images/..",
  "/images/%2E./x",
  "/images/%2e%2E",
  "/images\\..\\x",
  "/../x?y#z",
])("%s is none", text => expect(isPublicImage(text)).toBe(false));
