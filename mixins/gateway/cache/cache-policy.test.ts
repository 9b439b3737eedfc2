import { expect, test } from "@jest/globals";
import { looseRoute } from "../library.fixture.ts";
import { cacheControlOf, surrogateKeyOf } from "./cache-policy.ts";

const tags = () => [];
test("a policy as caches read it", () => {
  expect(cacheControlOf({ maxAge: 5, sMaxAge: 15, staleWhileRevalidate: 30, tags })).toBe(
    "public, max-age=5, s-maxage=15, stale-while-revalidate=30",
  );
  expect(cacheControlOf({ maxAge: 0, sMaxAge: 2, tags })).toBe("public, max-age=0, s-maxage=2");
});

test("tags are names with blanks between, whatever is in them", () => {
  expect(surrogateKeyOf(["books", "book:0190"])).toBe("books book:0190");
  expect(surrogateKeyOf(["a b", "x\r\nSet-Cookie: y", "é", "\ud800"])).toBe(
    "a%20b x%0D%0ASet-Cookie:%20y %C3%A9 %EF%BF%BD",
  );
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
