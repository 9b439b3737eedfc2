// @slow: it installs tools from the registry.
// The description serves the tools that others use on it: a linter finds nothing in it, and a generator makes types of it by
// which a client compiles and shops.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { gzipSync } from "node:zlib";
import { readFileSync } from "node:fs";
import { Workbench } from "./workbench.ts";

let bench: Workbench;
beforeAll(async () => {
  bench = await Workbench.open();
  bench.install();
}, 600_000);
afterAll(() => bench?.close());

test.each(["public.json", "admin.json"])(
  "redocly finds nothing in %s",
  file => {
    const output = bench.run("redocly", ["lint", "--config", "redocly.yaml", "--format", "json", bench.path(file)]);
    const { totals, problems } = JSON.parse(output.slice(output.indexOf("{"), output.lastIndexOf("}") + 1));
    expect(problems).toEqual([]);
    expect(totals).toEqual({ errors: 0, warnings: 0, ignored: 0 });
  },
  120_000,
);

test("AsyncAPI's own parser takes the description of the events, and finds every message", () => {
  const output = bench.run(process.execPath, ["asyncapi.mjs", bench.path("events.json")]);
  const { errors, messages } = JSON.parse(output);
  expect(errors).toEqual([]);
  expect(messages).toEqual(expect.arrayContaining(["order.placed.v1", "payment.captured.v1", "stock.reserved.v1"]));
}, 120_000);

test("openapi-typescript makes types by which a client compiles, and the client shops", () => {
  bench.run("openapi-typescript", [bench.path("public.json"), "--output", "api.ts"]);
  const strict = ["--strict", "--noEmit", "--allowImportingTsExtensions", "--skipLibCheck", "--lib", "esnext,dom"];
  bench.run("tsc", [...strict, "--module", "nodenext", "--target", "esnext", "shopper.ts"]);
  const output = bench.run(process.execPath, ["shopper.ts", bench.shop.url]);
  expect(JSON.parse(output)).toEqual({
    name: "Clara",
    rising: true,
    total: true,
    status: expect.stringMatching(/^(placed|stock_reserved|paid|confirmed|shipped)$/),
    problem: "/problems/validation-error",
    field: "quantity",
  });
}, 300_000);

/** Bytes of the client, minified and compressed, that a page may spend of its 30 kB. */
const CLIENT_BYTES_MAX = 5_000;

test("our own client, packed, compiles by its declarations and shops; a page loads less than 5 kB of it", () => {
  bench.installClient();
  const strict = ["--strict", "--exactOptionalPropertyTypes", "--noEmit", "--lib", "esnext,dom,dom.asynciterable"];
  bench.run("tsc", [...strict, "--module", "nodenext", "--target", "esnext", "customer.ts"]);
  const output = bench.run(process.execPath, ["customer.ts", bench.shop.url]);
  expect(JSON.parse(output)).toEqual({
    name: "Petra",
    hasProducts: true,
    cheapest: true,
    pages: 5,
    status: 201,
    isReplayed: "true",
    attempts: 2,
    keys: 1,
    orders: 1,
    statuses: ["placed", "stock_reserved", "paid", "confirmed", "shipped"],
    refusal: { code: "ORDER_CONFIRMED", status: 409, isNamed: true },
    renewals: 1,
    seenByKey: "shipped",
    left: "left the page",
  });
  bench.run("rolldown", ["node_modules/@valence/client/dist/index.js", "--minify", "--file", "page.js"]);
  expect(gzipSync(readFileSync(bench.path("page.js"))).length).toBeLessThan(CLIENT_BYTES_MAX);
}, 300_000);
