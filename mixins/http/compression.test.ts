import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import { httpLimits as limits } from "./limits.ts";
import { acceptedEncoding, compressed, isCompressible } from "./compression.ts";

test.each([
  [undefined, undefined],
  ["", undefined],
  ["identity", undefined],
  ["br", "br"],
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["GZIP", "gzip"],
  ["gzip, deflate, br", "br"],
  ["gzip, deflate, br, zstd", "br"],
  ["gzip;q=1.0, br;q=0.8", "gzip"],
  ["br;q=0.8,gzip;q=0.8", "br"],
  ["br;q=0, gzip", "gzip"],
  ["br ; q=0 , gzip ; q=0", undefined],
  ["*", "br"],
  ["*;q=0", undefined],
  ["br;q=0, *;q=0.5", "gzip"],
  ["gzip;q=0.000", undefined],
  ["gzip;q=2", undefined],
  ["gzip;q=x", undefined],
  ["gzip;level=9", undefined],
  [`gzip${",gzip".repeat(200)}`, undefined],
])("Accept-Encoding: %s means %s", (header, encoding) => expect(acceptedEncoding(header)).toBe(encoding));

test("only long texts without secrets are compressed", () => {
  const json = { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store" };
  const is = (path: string, headers: Record<string, string>, bytes = 5_000) => isCompressible(path, headers, bytes);
  expect(is("/api/v1/books", json)).toBe(true);
  expect(is("/api/v1/books", { "Content-Type": "text/csv; charset=utf-8" })).toBe(true);
  expect(is("/api/v1/books", { "Content-Type": "application/problem+json" })).toBe(true);
  expect(is("/api/v1/books", json, limits.compressFromBytes - 1)).toBe(false);
  expect(is("/api/v1/books", { "Content-Type": "text/event-stream" })).toBe(false);
  expect(is("/x", { "Content-Type": "image/png" })).toBe(false);
  expect(is("/x", { ...json, "Cache-Control": "no-transform" })).toBe(false);
  expect(is("/x", { ...json, "Content-Encoding": "br" })).toBe(false);
  for (const path of ["/api/v1/auth/refresh", "/api/v1/session", "/session", "/api/v2/auth/sessions"])
    expect(is(path, json)).toBe(false);
});

test.each([100, limits.compressAsideBytes + 1])("%i bytes come back as they were", async length => {
  const body = Buffer.from("é{}".repeat(length).slice(0, length));
  expect(brotliDecompressSync(await compressed(body, "br")).equals(body)).toBe(true);
  expect(gunzipSync(await compressed(body, "gzip")).equals(body)).toBe(true);
});
