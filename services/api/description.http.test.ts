// The API's own description: whole, valid, and good to make clients of.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { ApiDescription } from "@valence/runtime/testing";
import { startGateway, type Gateway } from "./gateway.fixture.ts";

let gateway: Gateway;
let description: ApiDescription;
let operations: any[];

beforeAll(async () => {
  gateway = await startGateway({}, [], { PUBLIC_URL: "https://shop.example/" });
  const token = await gateway.token(newId(), ["customer", "admin"]);
  description = new ApiDescription((await gateway.http("GET", "/openapi.json", { token })).json);
  operations = Object.values<any>(description.document["paths"]).flatMap(methods => Object.values<any>(methods));
});
afterAll(() => gateway.stop());

test("every example is valid by its schema", () => {
  expect(description.badExamples()).toEqual([]);
  expect(description.examples().length).toBeGreaterThan(operations.length);
}, 60_000);

test("operations have names that a client can call its methods by", () => {
  const ids: string[] = operations.map(({ operationId }) => operationId);
  expect(ids.filter(id => !/^[a-z][A-Za-z0-9]*$/.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(expect.arrayContaining(["listProducts", "placeOrder", "cancelOrder", "login", "retrySaga"]));
});

test("every group of operations is described, and the server is where clients reach us", () => {
  const { tags, servers, info } = description.document;
  expect(tags.filter(({ description }: any) => !description)).toEqual([]);
  expect(servers).toEqual([{ url: "https://shop.example" }]);
  expect(info.license).toEqual({ name: "MIT", identifier: "MIT" });
});

test("what is one type has one name: no schema stands twice, and no name has two schemas", () => {
  const { schemas } = description.document["components"];
  expect(Object.keys(schemas)).toEqual(
    expect.arrayContaining(["Problem", "Money", "Product", "Order", "Cart", "User"]),
  );
  expect(Object.keys(schemas).filter(name => name.includes("_"))).toEqual([]);
  const inline = new Map<string, number>();
  const look = (node: any): void => {
    if (typeof node !== "object" || node === null) return;
    const { type, title, properties = {} } = node;
    if (type === "object" && typeof title !== "string" && Object.keys(properties).length > 1) {
      const text = JSON.stringify(node);
      inline.set(text, (inline.get(text) ?? 0) + 1);
    }
    for (const value of Object.values(node)) look(value);
  };
  look(description.document["paths"]);
  look(schemas);
  expect([...inline].filter(([, times]) => times > 1)).toEqual([]);
});

test("an operation takes a token, a key or a page's cookie; keys neither make keys nor change passwords", () => {
  const schemesOf = (method: string, path: string): string[] =>
    description.operation(method, path)!["security"].flatMap((requirement: object) => Object.keys(requirement));
  const people = ["bearer", "session-shop", "session-console"];
  expect(schemesOf("GET", "/api/v1/orders").sort()).toEqual(["apiKey", ...people].sort());
  for (const line of ["POST /api/v1/me/keys", "DELETE /api/v1/me/keys/x", "POST /api/v1/me/password"]) {
    const [method, path] = line.split(" ") as [string, string];
    expect([line, schemesOf(method, path)]).toEqual([line, people]);
  }
});

test("answers have their header fields", () => {
  const headersOf = (method: string, path: string, status: number) =>
    Object.keys(description.resolved(description.operation(method, path)!["responses"][status]).headers);
  expect(headersOf("POST", "/api/v1/orders", 201)).toEqual([
    "X-Request-ID",
    "RateLimit",
    "RateLimit-Policy",
    "Location",
    "Link",
    "Deprecation",
    "Sunset",
    "Idempotency-Replayed",
  ]);
  expect(headersOf("GET", "/api/v1/products/x", 200)).toEqual(expect.arrayContaining(["ETag", "Last-Modified"]));
  expect(headersOf("GET", "/api/v1/products/x", 304)).toEqual(expect.arrayContaining(["ETag", "Last-Modified"]));
  expect(headersOf("GET", "/api/v1/products", 200)).toContain("Link");
  expect(headersOf("PUT", "/api/v1/cart/items/x", 200)).toContain("Content-Location");
  expect(headersOf("GET", "/api/v1/products", 503)).toContain("Retry-After");
  expect(headersOf("GET", "/api/v1/cart", 401)).toContain("WWW-Authenticate");
});
