import { expect, test } from "@jest/globals";
import { mediaTypeOf } from "./media-type.ts";

test.each([
  ["application/json", true],
  ["application/json;", true],
  ["Application/JSON ; ;", true],
  ["application/json; charset=utf8", true],
  ['application/json;charset="UTF-8"; v=1', true],
  ['application/json; profile="a;b\\"c"', true],
  ['application/json; charset="ut\\f-8"', true],
  ["application/json; charset=US-ASCII", true],
  ["application/json; charset=latin1", false],
  ["application/json; charset=utf-8; charset=utf-16", false],
  ["application/json; charset", false],
  ["application/json; =x", false],
  ["application/json, text/plain", false],
  ["application", false],
  ["", false],
  [`application/json;${" ".repeat(16_000)}@`, false],
])("media type %s is JSON's: %s", (header, isJson) => {
  expect(mediaTypeOf(header) === "application/json").toBe(isJson);
});
