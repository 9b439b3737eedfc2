import { expect, test } from "@jest/globals";
import { looseRoute } from "../library.fixture.ts";
import { cacheControlOf, tagHeadersOf } from "./cache-policy.ts";

const tags = () => [];
test("a policy as caches read it", () => {
  expect(cacheControlOf({ maxAge: 5, sMaxAge: 15, staleWhileRevalidate: 30, tags })).toBe(
    "public, max-age=5, s-maxage=15, stale-while-revalidate=30",
  );
  expect(cacheControlOf({ maxAge: 0, sMaxAge: 2, tags })).toBe("public, max-age=0, s-maxage=2");
  expect(cacheControlOf({ maxAge: 0, sMaxAge: 2, staleIfError: 9, tags })).toBe(
    "public, max-age=0, s-maxage=2, stale-if-error=9",
  );
});

test("tags are names with blanks or commas between, whatever is in them", () => {
  expect(tagHeadersOf(["books", "book:0190"])).toEqual({
    "Surrogate-Key": "books book:0190",
    "Cache-Tag": "books,book:0190",
  });
  expect(tagHeadersOf(["a b", "a,b", "x\r\nSet-Cookie: y", "é", "\ud800"])["Surrogate-Key"]).toBe(
    "a%20b a%2Cb x%0D%0ASet-Cookie:%20y %C3%A9 %EF%BF%BD",
  );
  expect(tagHeadersOf([])).toEqual({});
});

test.each([
  ["GET /shelf", "user"],
  ["GET /shelf", undefined],
  ["GET /books", "admin"],
  ["POST /books", "public"],
])("%s with access %s cannot be cached: its answer is not for everybody", (line, access) => {
  const cache = { maxAge: 1, sMaxAge: 1, tags };
  const spec = { summary: "", cache, params: () => ({}), ...(access !== undefined && { access: access as "public" }) };
  expect(() => looseRoute(line, "books.get", spec)).toThrow(`${line}: only a GET`);
});
