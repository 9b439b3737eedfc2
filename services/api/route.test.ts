import { expect, test } from "@jest/globals";
import { eventStream, route } from "@valence/runtime/gateway";
import { routes } from "./routes/index.ts";

test("a route is typed by its action", () => {
  // @ts-expect-error an action that is gone
  void (() => route("GET /x", "carts.gone", { summary: "", params: () => ({}) }));
  // @ts-expect-error params that the action does not take
  void (() => route("GET /x", "carts.get", { summary: "", params: () => ({ id: "x" }) }));
  const params = () => ({ owner: "x" });
  void (() =>
    // @ts-expect-error a stream of an action that answers no events
    eventStream("GET /x", "carts.get", { summary: "", actor: "cart", last: [], params, data: event => event }));
});

test("every route with a param in its path has a schema for it, and no two are the same", () => {
  for (const { url, path } of routes)
    expect([url, ...[...url.matchAll(/:(\w+)/g)].map(match => match[1])]).toEqual([url, ...Object.keys(path)]);
  expect(new Set(routes.map(({ method, url }) => `${method} ${url}`)).size).toBe(routes.length);
});

test("only what a visitor needs is public", () => {
  const open = routes.filter(({ access }) => access === "public").map(({ method, url }) => `${method} ${url}`);
  expect(open.sort()).toEqual([
    "DELETE /api/v1/session",
    "GET /.well-known/jwks.json",
    "GET /api/v1/categories",
    "GET /api/v1/inventory/:sku",
    "GET /api/v1/products",
    "GET /api/v1/products/:id",
    "GET /api/v1/stock",
    "GET /api/v2/products",
    "GET /api/v2/products/:id",
    "POST /api/v1/auth/email/verify",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/password/forgot",
    "POST /api/v1/auth/password/reset",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/register",
    "POST /api/v1/payments/webhook",
    "POST /api/v1/session",
  ]);
  const operators = ["admin", "viewer"];
  for (const { url, method, access } of routes.filter(({ url }) => url.includes("/ops/"))) {
    expect([url, [access].flat().filter(role => !operators.includes(role))]).toEqual([url, []]);
    // What-if computes, and writes nothing.
    if (method !== "GET" && !url.endsWith("/what-if")) expect([url, [access].flat()]).toEqual([url, ["admin"]]);
  }
});
