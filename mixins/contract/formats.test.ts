import { expect, test } from "@jest/globals";
import Type from "typebox";
import { compileParams, compileSchema, defineFormat, strictObject } from "./index.ts";

const checkOf = (format: string) => compileSchema(strictObject({ x: Type.String({ format }) }));

test.each<[format: string, right: string, wrong: string]>([
  ["date", "2024-02-29", "2023-02-29"],
  ["time", "12:00:00Z", "25:00:00Z"],
  ["date-time", "2026-01-31T12:00:00.5+01:00", "2026-13-01T12:00:00Z"],
  ["date-time", "2026-01-31T12:00:00Z", "2026-01-31 12:00:00"],
  ["date-time", "2016-12-31T23:59:59Z", "2016-12-31T23:59:60Z"],
  ["duration", "P1DT15M", "15 minutes"],
  ["email", "ada@example.com", "ada"],
  ["uri", "https://example.com/?a=1", "/a"],
  ["uri-reference", "/a", "\\a"],
  ["uuid", "0190A0A0-0000-7000-8000-000000000000", "0190a0a0"],
  ["hostname", "a.example.com", "a_b.example.com"],
  ["ipv4", "192.0.2.1", "192.0.2.256"],
  ["ipv6", "2001:db8::1", "2001:db8"],
  ["json-pointer", "/a/0", "a"],
  ["regex", "^a+$", "("],
])("the format %s takes %s and not %s", (format, right, wrong) => {
  expect(checkOf(format)({ x: right })).toBe(true);
  expect(checkOf(format)({ x: wrong })).toMatchObject([{ field: "x" }]);
});

test("a domain adds a format by a pattern, by a function, or with words and a normal form", () => {
  defineFormat("plate", /^[A-Z]{2}\d{3}$/);
  expect(checkOf("plate")({ x: "AB12" })).toEqual([{ field: "x", message: 'must match format "plate"' }]);
  defineFormat("even", text => text.length % 2 === 0);
  expect(checkOf("even")({ x: "ab" })).toBe(true);

  const format = defineFormat("room", {
    check: /^[A-Z]\d+$/,
    says: "must be the number of a room",
    normalize: text => text.toUpperCase(),
  });
  const check = compileParams(strictObject({ rooms: Type.Array(Type.String({ format })) }));
  const params = { rooms: ["a1", "B2"] };
  expect([check(params), params]).toEqual([true, { rooms: ["A1", "B2"] }]);
  expect(check({ rooms: ["12"] })).toEqual([{ field: "rooms.0", message: "must be the number of a room" }]);
});

test("a name that is taken is refused, one of the usual formats too", () => {
  defineFormat("taken", /./);
  expect(() => defineFormat("taken", /./)).toThrow('format "taken" is defined twice');
  expect(() => defineFormat("date", /./)).toThrow('format "date" is defined twice');
});
