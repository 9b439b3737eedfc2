import { describe, expect, test } from "@jest/globals";
import { assertConditions, encodedTag, entityTag } from "../../contract/index.ts";
import { conditionsOf, isUnchanged, refuseConditions, validatorHeaders, validatorsOf } from "./conditions.ts";

const at = "2026-11-29T08:49:37.500Z";
const HTTP = "Sun, 29 Nov 2026 08:49:37 GMT";
const shelf = { items: [], version: 3, updatedAt: at };
const now = validatorsOf(shelf);
const failed = expect.objectContaining({ type: "PRECONDITION_FAILED", code: 412 });

test("headers are read as RFC 9110 writes them", () => {
  expect(conditionsOf({})).toBeUndefined();
  expect(conditionsOf({ "if-match": "*" })).toEqual({ match: ["*"] });
  expect(conditionsOf({ "if-match": '"a", W/"b,c" ,, "d"' })).toEqual({ match: ['"a"', 'W/"b,c"', '"d"'] });
  expect(conditionsOf({ "if-none-match": '""' })).toEqual({ noneMatch: ['""'] });
  expect(conditionsOf({ "if-unmodified-since": HTTP })).toEqual({ unmodifiedSince: "2026-11-29T08:49:37.000Z" });
});

test.each([
  ["If-Match", "abc"],
  ["If-Match", ""],
  ["If-Match", '"a" "b"'],
  ["If-Match", '*, "a"'],
  ["If-None-Match", '"a'],
  ["If-None-Match", `${'"a",'.repeat(2_000)}"a"`],
  ["If-Unmodified-Since", "yesterday"],
  ["If-Unmodified-Since", "2026-11-29T08:49:37Z"],
  ["If-Unmodified-Since", "Sun, 99 Nov 2026 99:49:37 GMT"],
])("a malformed %s was meant to protect as well: 400 by name", (field, text) => {
  expect(() => conditionsOf({ [field.toLowerCase()]: text })).toThrow(
    expect.objectContaining({
      code: 400,
      type: "BAD_CONDITION",
      data: expect.objectContaining({ errors: [expect.objectContaining({ field })] }),
    }),
  );
});

test("equal answers have equal tags, whatever the order of their keys", () => {
  expect(entityTag({ a: 1, b: [2] })).toBe(entityTag({ b: [2], a: 1 }));
  expect(entityTag({ a: 1 })).not.toBe(entityTag({ a: 2 }));
  expect(validatorHeaders(now)).toEqual({ ETag: now.tag, "Last-Modified": HTTP });
});

describe("of a change", () => {
  test.each([
    ["its tag", { match: ['"x"', now.tag] }],
    ["any", { match: ["*"] }],
    ["none of others", { noneMatch: ['"x"'] }],
    ["not modified since", { unmodifiedSince: at }],
    ["not modified since that second", { unmodifiedSince: "2026-11-29T08:49:37.000Z" }],
    ["a tag, which counts more than a date", { match: [now.tag], unmodifiedSince: "2020-01-01T00:00:00.000Z" }],
  ])("%s holds", (_what, conditions) => {
    expect(() => assertConditions(conditions, now)).not.toThrow();
  });

  test.each([
    ["another tag", { match: ['"x"'] }],
    ["its tag, weak", { match: [`W/${now.tag}`] }],
    ["none of its own", { noneMatch: [`W/${now.tag}`] }],
    ["nothing there", { noneMatch: ["*"] }],
    ["not modified since earlier", { unmodifiedSince: "2026-11-29T08:49:36.999Z" }],
  ])("%s does not", (_what, conditions) => {
    expect(() => assertConditions(conditions, now)).toThrow(failed);
  });

  test("a resource that is not there or has no date meets no condition about it", () => {
    expect(() => assertConditions({ match: ["*"] }, { ...now, exists: false })).toThrow(failed);
    expect(() => assertConditions({ noneMatch: ["*"] }, { ...now, exists: false })).not.toThrow();
    expect(() => assertConditions({ unmodifiedSince: at }, { tag: now.tag })).toThrow(failed);
  });

  test("for a resource without a version only `If-Match: *` passes", () => {
    expect(() => refuseConditions({ match: ["*"] })).not.toThrow();
    for (const conditions of [
      { match: ['"a"'] },
      { noneMatch: ["*"] },
      { match: ["*"], noneMatch: ['"a"'] },
      { unmodifiedSince: at },
    ])
      expect(() => refuseConditions(conditions)).toThrow(failed);
  });
});

test("one state has a tag for each form and encoding: a change takes any, a read only that of the answer to this client", () => {
  const csv = validatorsOf(shelf, "a,b\n");
  expect(csv.tag).toMatch(/^"[\w-]{22}\.[\w-]{8}"$/);
  expect(csv.tag.slice(0, 23)).toBe(now.tag.slice(0, 23));
  expect(validatorsOf(shelf, { rows: [] }).tag).not.toBe(csv.tag);
  expect(validatorsOf(shelf, shelf)).toEqual(now);
  for (const tag of [now.tag, csv.tag, encodedTag(now.tag, "br"), encodedTag(csv.tag, "gzip")]) {
    expect(() => assertConditions({ match: [tag] }, now)).not.toThrow();
    expect(() => assertConditions({ noneMatch: [`W/${tag}`] }, now)).toThrow(failed);
  }
  expect(() => assertConditions({ match: [now.tag.replace(/"$/, '-zz"')] }, now)).toThrow(failed);
  expect(() => assertConditions({ match: [encodedTag(entityTag({}), "br")] }, now)).toThrow(failed);
  const has = (tag: string, what = now, encoding?: "br") => isUnchanged({}, { noneMatch: [tag] }, what, encoding);
  expect([has(encodedTag(now.tag, "br")), has(`W/${now.tag}`)]).toEqual([false, true]);
  expect([has(csv.tag), has(now.tag, csv), has(csv.tag, csv)]).toEqual([false, false, true]);
  expect([has(encodedTag(csv.tag, "br"), csv, "br"), has(encodedTag(csv.tag, "gzip"), csv, "br")]).toEqual([
    true,
    false,
  ]);
});

test("a read is 304 when the client has the answer, by tag before date", () => {
  const has = (headers: Record<string, string>) => isUnchanged(headers, conditionsOf(headers), now);
  expect(has({})).toBe(false);
  expect(has({ "if-none-match": `"x", W/${now.tag}` })).toBe(true);
  expect(has({ "if-none-match": "*" })).toBe(true);
  expect(has({ "if-modified-since": HTTP })).toBe(true);
  expect(has({ "if-modified-since": "Sun, 29 Nov 2026 08:49:36 GMT" })).toBe(false);
  expect(has({ "if-modified-since": "nonsense" })).toBe(false);
  expect(has({ "if-none-match": '"x"', "if-modified-since": HTTP })).toBe(false);
  expect(() => has({ "if-match": '"x"' })).toThrow(failed);
});
