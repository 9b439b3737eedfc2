// The client knows of a route only its line. What it concludes from that holds for every route of the table.
import { expect, test } from "@jest/globals";
import type { TSchema } from "typebox";
import { contractOf, returnsOf } from "@valence/runtime/contract";
import { API, type Route } from "@valence/runtime/gateway";
import { takesKey as routeTakesKey } from "../../../mixins/gateway/idempotency/key.ts";
import { routes } from "../../../services/api/routes/index.ts";
import { requestOf, takesKey } from "../../../client/call.ts";
import { isStream } from "../../../client/client.ts";
import { rowsIn } from "../../../client/pages.ts";
import { table } from "../../../client/table.ts";

const lines = Object.values(table).flatMap(group => Object.values<string>(group));
const lineOf = ({ method, url }: Route): string => `${method} ${url.replace(API, "").replace("/api/v2", "/v2")}`;
const named = (routes as readonly Route[]).filter(route => lines.includes(lineOf(route)));

test("every name is of a route, and no route has two names", () => {
  expect(new Set(lines).size).toBe(lines.length);
  expect(named.map(lineOf).sort()).toEqual([...lines].sort());
});

test.each(named.map(route => [lineOf(route), route] as const))("%s", (line, route) => {
  const { method, url, path, query, body, target } = route;
  expect(takesKey(line)).toBe(routeTakesKey(route));
  expect(isStream(line)).toBe("stream" in target || target.hints !== undefined);
  // Each field has one place, which follows from the method.
  const names = [path, query, body].flatMap(place => Object.keys(place));
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(method === "GET" || method === "DELETE" ? body : query)).toEqual([]);
  expect(requestOf({ line, input: Object.fromEntries(Object.keys(path).map(name => [name, `:${name}`])) }).url).toBe(
    url.replaceAll(":", "%3A"),
  );
  if ("stream" in target) return;
  const { representation } = target;
  const rows = representation && target.list !== undefined ? "data" : (target.list ?? target.lines);
  if (rows === undefined) return;
  const [service = "", action = ""] = target.action.split(".");
  const returns = representation?.returns ?? returnsOf(contractOf(service)!, action).returns;
  const { properties } = returns as TSchema & { properties: object };
  const page = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, schema.type === "array" ? [name] : 0]),
  );
  expect(rowsIn(page)).toEqual([rows]);
});
