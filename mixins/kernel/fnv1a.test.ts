import { expect, test } from "@jest/globals";
import { fnv1a } from "./index.ts";

test("gives the published values of 32-bit FNV-1a", () => {
  expect(["", "a", "foobar"].map(text => fnv1a(text) >>> 0)).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968]);
});

test("goes on from the hash of another text", () => {
  expect(fnv1a("bar", fnv1a("foo"))).toBe(fnv1a("foobar"));
});
