import { expect, test } from "@jest/globals";
import type { TSchema } from "typebox";
import { compileSchema } from "@valence/runtime/contract";
import type { Shape, Succession } from "@valence/runtime/gateway";
import { randomOf } from "@valence/runtime/testing";
import { randomValue } from "../../../../mixins/gateway/versions/random-value.fixture.ts";
import { routes } from "../index.ts";
import { successions } from "./index.ts";
import { listed, order } from "./orders.ts";
import { product } from "./products.ts";

/** A check stops after so many. */
const ISSUES_MAX = 20;
const bodies = Object.entries<Succession>(successions).flatMap(([line, { body, query }]) => [
  ...(body ? [[`body of ${line}`, body] as const] : []),
  ...(query ? [[`query of ${line}`, query] as const] : []),
]);

test.each<readonly [string, Shape<any, any>]>([
  ["a product", product],
  ["an order", order],
  ["an order in a list", listed],
  ...bodies,
])("there and back nothing is lost: %s", (_name, shape) => {
  const random = randomOf(20_261_130);
  const issuesOf = (schema: TSchema) => {
    const check = compileSchema(schema);
    return (value: unknown): string[] => {
      const found = check(value);
      return found === true ? [] : found.map(({ field }) => field);
    };
  };
  const [wrongInV1, wrongInV2] = [issuesOf(shape.from), issuesOf(shape.schema)];
  const dropped = ["version", "page", "from"].filter(
    name => name in shape.from.properties && !(name in shape.schema.properties),
  );
  for (let n = 0; n < 200; n++) {
    const sample = randomValue(shape.from, random) as Record<string, unknown>;
    for (const name of dropped) delete sample[name];
    if ((sample["refunds"] as unknown[] | undefined)?.length === 0) delete sample["refunds"];
    const made = shape.toNew(sample);
    expect(shape.toOld(made)).toEqual(sample);
    expect(shape.toNew(shape.toOld(made))).toEqual(made);
    // Random texts break some bound or format: both forms find the same, each under its own name.
    const found = wrongInV1(sample);
    if (found.length >= ISSUES_MAX) continue;
    const expected = found.filter(field => !dropped.includes(field)).map(field => shape.nameNew(field));
    expect(wrongInV2(made).sort()).toEqual(expected.sort());
  }
});

test("each route of version 2 has its predecessor, which says so, with the same action and access", () => {
  const newer = routes.filter(({ version }) => version === "v2");
  expect(newer).toHaveLength(Object.keys(successions).length);
  for (const { method, url, access, target } of newer) {
    const older = routes.find(route => route.method === method && route.url === url.replace("/v2/", "/v1/"))!;
    expect(older.retires).toMatchObject({ prefix: "/api/v1", successor: "/api/v2" });
    expect(access).toEqual(older.access);
    const actionOf = (of: typeof target) => ("stream" in of ? of.stream.action : of.action);
    expect(actionOf(target)).toBe(actionOf(older.target));
  }
  expect(routes.filter(({ retires }) => retires)).toHaveLength(newer.length);
});
