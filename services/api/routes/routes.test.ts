// One source for a schema: a field that a route and its action both take is declared in the action's contract alone.
import { expect, test } from "@jest/globals";
import type { TProperties } from "typebox";
import { contractOf } from "@valence/runtime/contract";
import type { Route } from "@valence/runtime/gateway";
import { routes } from "./index.ts";

function paramsOf(action: string): TProperties {
  const [service = "", name = ""] = action.split(".");
  const { commands, actions } = contractOf(service)!;
  return (commands as Record<string, TProperties>)[name] ?? actions[name]?.params ?? {};
}

/** Fields that a route declares anew, although its action takes them by that name. */
function redeclared({ target, path, query, body }: Pick<Route, "target" | "path" | "query" | "body">): string[] {
  if ("stream" in target) return [];
  const params = paramsOf(target.action);
  return Object.entries({ ...path, ...query, ...body })
    .filter(([field, schema]) => Object.hasOwn(params, field) && params[field] !== schema)
    .map(([field]) => field);
}

test("no route redeclares a field of its action's params: it takes the schema from the contract", () => {
  const found = routes.flatMap(route => redeclared(route).map(field => `${route.method} ${route.url}: ${field}`));
  // Version 2 has other values for `sort`, made of the contract's by its shape.
  expect(found).toEqual(["GET /api/v2/products: sort"]);
});

test("the token of a payment is for machines on its way in, too", () => {
  const { body } = routes.find(({ method, url }) => method === "POST" && url.endsWith("/orders"))!;
  expect(body["payment"]).toMatchObject({ properties: { token: { writeOnly: true } } });
});

test("a copy of a field is found, equal as it may be", () => {
  const route = routes.find(({ url, method }) => method === "POST" && url.endsWith("/orders"))!;
  const body = { ...route.body, payment: structuredClone(route.body["payment"]!) };
  expect(redeclared({ ...route, body })).toEqual(["payment"]);
});
