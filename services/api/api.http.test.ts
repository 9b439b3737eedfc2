import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { idFrom, newId } from "@valence/runtime/kernel";
import { orderBody, product, startGateway, type Gateway } from "./gateway.fixture.ts";
import { routes } from "./routes/index.ts";

let gateway: Gateway;
let ann: { id: string; token: string };
let admin: { id: string; token: string };

beforeAll(async () => {
  gateway = await startGateway();
  const [a, b] = [newId(), newId()];
  ann = { id: a, token: await gateway.token(a) };
  admin = { id: b, token: await gateway.token(b, ["customer", "admin"]) };
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.reached.length = 0;
});
const actionsReached = () => gateway.reached.map(({ action }) => action).filter(action => action !== "accounts.jwks");

describe("routes", () => {
  test("the routes in the code are the only aliases of the router", () => {
    const aliases = gateway.service.aliases.map(({ method, fullPath }) => `${method} ${fullPath}`).sort();
    expect(aliases).toEqual(routes.map(({ method, url }) => `${method} ${url}`).sort());
    expect(aliases).toHaveLength(new Set(aliases).size);
  });

  test("without the role every route of an administrator is 403, and no action runs", async () => {
    for (const { method, url } of routes.filter(({ access }) => access === "admin")) {
      const { status } = await gateway.http(method, url.replaceAll(/:\w+/g, "x"), { token: ann.token });
      expect([method, url, status]).toEqual([method, url, 403]);
    }
    expect(actionsReached()).toEqual([]);
  });

  test("/openapi.json shows each user the routes that they may use", async () => {
    const pathsOf = async (call: { token?: string }) => {
      const { json, headers } = await gateway.http("GET", "/openapi.json", call);
      expect(headers.get("vary")).toMatch(/^Authorization, /);
      return { all: JSON.stringify(json), paths: Object.keys(json.paths) };
    };
    const strangers = await pathsOf({});
    const everything = await pathsOf({ token: admin.token });
    expect(strangers.paths).toContain("/api/v1/orders");
    expect(strangers.all).not.toMatch(/\/ops\/|\/receive|"(create|update|remove)Product"/);
    expect((await pathsOf({ token: ann.token })).all).toBe(strangers.all);
    expect(everything.paths).toContain("/api/v1/ops/sagas/{id}/compensate");
    expect((await gateway.http("GET", "/openapi.json", { token: "x.y.z" })).status).toBe(401);
  });

  test("the OpenAPI document describes every route, resolves every reference and names what actions answer", async () => {
    const { json: document } = await gateway.http("GET", "/openapi.json", { token: admin.token });
    expect(document.openapi).toBe("3.1.0");
    const named = ({ schema }: any) => document.components.schemas[schema.$ref?.split("/").at(-1)] ?? schema;
    const ids = new Set<string>();
    for (const { method, url, path } of routes) {
      const operation = document.paths[url.replaceAll(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()];
      expect([method, url, operation?.operationId]).toEqual([method, url, expect.any(String)]);
      ids.add(operation.operationId);
      expect(Object.keys(operation.responses)).toContain("default");
      const inPath = (operation.parameters ?? []).filter((parameter: any) => parameter.in === "path");
      expect(inPath.map((parameter: any) => parameter.name)).toEqual(Object.keys(path));
      expect([...url.matchAll(/:(\w+)/g)].map(match => match[1])).toEqual(Object.keys(path));
      const [status] = Object.keys(operation.responses).filter(key => key !== "default");
      const content = operation.responses[status!].content;
      if (status === "204") expect(content).toBeUndefined();
      else
        expect([operation.operationId, named(Object.values<any>(content)[0]).type]).toEqual([
          operation.operationId,
          expect.any(String),
        ]);
    }
    expect(ids.size).toBe(routes.length);
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(match =>
      match[1]!.split("/"),
    );
    expect(references.length).toBeGreaterThan(routes.length);
    for (const path of references) expect(path.reduce((node: any, key) => node?.[key], document)).toBeDefined();
    expect(named(document.paths["/api/v1/orders"].post.requestBody.content["application/json"]).required).toEqual([
      "shippingAddress",
      "payment",
    ]);
    expect(document.paths["/api/v1/orders"].post.parameters[0]).toMatchObject({
      name: "Idempotency-Key",
      in: "header",
    });
    const headersOf = (url: string, method: string) =>
      (document.paths[url][method].parameters as { in: string; name: string }[])
        .filter(parameter => parameter.in === "header")
        .map(({ name }) => name);
    expect(headersOf("/api/v1/products/{id}", "get")).toEqual(["If-None-Match"]);
    expect(headersOf("/api/v1/cart/items/{productId}", "put")).toContain("If-Match");
    expect(document.paths["/api/v1/products"].get.security).toEqual([]);
  });
});

describe("an order", () => {
  const order = (body: unknown, headers: Record<string, string> = {}) =>
    gateway.http("POST", "/api/v1/orders", { token: ann.token, body, headers });

  test.each([
    ["price", { ...orderBody, price: 1 }],
    ["lines.0.unitPrice", { ...orderBody, lines: [{ productId: product.id, quantity: 1, unitPrice: 1 }] }],
    ["customer", { ...orderBody, customer: newId() }],
    ["id", { ...orderBody, id: newId() }],
    ["status", { ...orderBody, status: "paid" }],
    ["lines.0.quantity", { ...orderBody, lines: [{ productId: product.id, quantity: -1 }] }],
    ["lines.0.quantity", { ...orderBody, lines: [{ productId: product.id, quantity: 1e9 }] }],
    ["lines.0.productId", { ...orderBody, lines: [{ productId: "' or 1=1", quantity: 1 }] }],
    ["lines", { ...orderBody, lines: Array.from({ length: 1_000 }, () => orderBody.lines[0]) }],
    ["payment.token", { ...orderBody, payment: { method: "card", token: "a b" } }],
    ["payment.token", { ...orderBody, payment: { method: "card", token: "4242-4242-4242-4242" } }],
    ["payment.token", { ...orderBody, payment: { method: "card", token: "378282246310005" } }],
    ["shippingAddress.country", { ...orderBody, shippingAddress: { ...orderBody.shippingAddress, country: 49 } }],
  ])("P6 an order with a bad %s is refused by name", async (field, body) => {
    const { status, json } = await order(body);
    expect(status).toBe(422);
    expect(json.errors.map((issue: { field: string }) => issue.field)).toContain(field);
    expect(actionsReached()).toEqual([]);
  });
});

describe("orders", () => {
  const place = (key: string | undefined, body: unknown = orderBody, token = ann.token) =>
    gateway.http("POST", "/api/v1/orders", {
      token,
      body,
      headers: key === undefined ? {} : { "idempotency-key": key },
    });

  test("P3 a repeated Idempotency-Key reaches the same order under the same command id and gets the same answer", async () => {
    const first = await place('"key-0001"');
    const again = await place("key-0001");
    expect(first.status).toBe(201);
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    expect([first, again].map(({ headers }) => headers.get("idempotency-replayed"))).toEqual([null, "true"]);
    expect(first.json).toMatchObject({ id: idFrom(ann.id, "key-0001"), status: "placed", total: { amount: 1800 } });
    expect(first.headers.get("location")).toBe(`/api/v1/orders/${first.json.id}`);
    expect(gateway.reached.map(({ commandId }) => commandId)).toEqual(Array(2).fill(`client:${ann.id}:key-0001`));
    expect(gateway.reached[0]!.params).toEqual({ ...orderBody, id: first.json.id, customer: ann.id });
  });

  test("P3 the same key with another body is refused, and is another order for another user", async () => {
    const mine = await place("key-0002");
    const other = await place("key-0002", { ...orderBody, lines: [{ productId: product.id, quantity: 3 }] });
    expect([other.status, other.json.type]).toEqual([422, "/problems/idempotency-key-reused"]);
    expect(other.headers.get("idempotency-replayed")).toBeNull();
    expect(other.json.errors).toEqual([{ field: "Idempotency-Key", message: expect.any(String) }]);
    const theirs = await place("key-0002", orderBody, admin.token);
    expect(theirs.json.id).not.toBe(mine.json.id);
  });

  test("without a key each order is a new one", async () => {
    const ids = [(await place(undefined)).json.id, (await place(undefined)).json.id];
    expect(new Set(ids).size).toBe(2);
    expect(gateway.reached.map(({ commandId }) => commandId)).toEqual([undefined, undefined]);
  });

  test.each(["", "two, keys-joined", '"unclosed-key', 'a"quote-in-it', "x".repeat(200)])(
    "a malformed Idempotency-Key is refused by name: %s",
    async key => {
      const { status, json } = await place(key);
      expect([status, json.errors[0].field]).toEqual([400, "Idempotency-Key"]);
      expect(actionsReached()).toEqual([]);
    },
  );

  test("If-None-Match: * does not make a POST a 304: there are orders, so nothing is done", async () => {
    const { status, json } = await gateway.http("POST", "/api/v1/orders", {
      token: ann.token,
      body: orderBody,
      headers: { "if-none-match": "*" },
    });
    expect([status, json.type]).toEqual([412, "/problems/precondition-failed"]);
    expect(actionsReached()).toEqual([]);
  });

  test("a customer cancels as themselves, an administrator as no one, both under the key", async () => {
    const id = newId();
    const headers = { "idempotency-key": "cancel-01" };
    await gateway.http("POST", `/api/v1/orders/${id}/cancel`, { token: ann.token, headers });
    await gateway.http("POST", `/api/v1/orders/${id}/cancel`, { token: admin.token, body: { reason: "fraud" } });
    expect(gateway.reached.map(({ params, commandId }) => ({ params, commandId }))).toEqual([
      { params: { id, customer: ann.id }, commandId: `client:${ann.id}:cancel-01` },
      { params: { id, reason: "fraud" }, commandId: undefined },
    ]);
  });

  test("the list is always the asking user's own", async () => {
    expect((await gateway.http("GET", "/api/v1/orders?page=2", { token: admin.token })).status).toBe(200);
    expect(gateway.reached[0]!.params).toEqual({ customer: admin.id, page: 2 });
    expect((await gateway.http("GET", `/api/v1/orders?customer=${ann.id}`, { token: admin.token })).status).toBe(422);
  });
});

describe("money", () => {
  test("a webhook reaches payments byte for byte, with its signature, from anybody", async () => {
    const body = '{"key": "order-1",  "status":"authorized"}';
    const { status } = await gateway.http("POST", "/api/v1/payments/webhook", {
      body,
      headers: { "webhook-signature": "t=1,v1=00" },
    });
    expect(status).toBe(200);
    expect(gateway.reached.at(-1)).toMatchObject({
      action: "payments.notify",
      params: { body, signature: "t=1,v1=00" },
    });
    const unsigned = await gateway.http("POST", "/api/v1/payments/webhook", { body });
    expect(unsigned.status).toBe(200);
    expect(gateway.reached.at(-1)!.params).toEqual({ body, signature: "" });
  });

  test("a refund is an administrator's, and the same one under the same key", async () => {
    const path = `/api/v1/orders/${newId()}/refunds`;
    const headers = { "idempotency-key": "refund-key-1" };
    const body = { restock: true };
    const customer = await gateway.token(newId());
    expect((await gateway.http("POST", path, { token: customer, body, headers })).status).toBe(403);
    const token = await gateway.token(newId(), ["admin"]);
    const first = await gateway.http("POST", path, { token, body, headers });
    expect(first.status).toBe(201);
    expect((await gateway.http("POST", path, { token, body, headers })).json).toEqual(first.json);
    expect((await gateway.http("POST", path, { token, body: {}, headers })).json.errors).toMatchObject([
      { field: "restock" },
    ]);
  });
});

test("UUIDs in capitals are the same ids, in paths, bodies and read tokens", async () => {
  const id = newId();
  const upper = id.toUpperCase();
  await gateway.http("GET", `/api/v1/products/${upper}`);
  await gateway.http("PUT", `/api/v1/cart/items/${upper}`, { token: ann.token, body: { quantity: 1 } });
  const lines = [{ productId: upper, quantity: 1 }];
  await gateway.http("POST", "/api/v1/orders", { token: ann.token, body: { ...orderBody, lines } });
  await gateway.http("GET", `/api/v1/orders/${upper}`, { token: ann.token });
  await gateway.http("POST", `/api/v1/orders/${upper}/cancel`, { token: ann.token });
  await gateway.http("GET", `/api/v1/orders?after=${upper}@2`, { token: ann.token });
  const seen = gateway.reached.filter(({ action }) => action !== "accounts.jwks").map(({ params }) => params);
  expect(seen).toMatchObject([
    { id },
    { productId: id },
    { lines: [{ productId: id }] },
    { id },
    { id },
    { after: `${id}@2` },
  ]);
});

test("null for what is not set, and a line that is sent back as it was got", async () => {
  const shippingAddress = { ...orderBody.shippingAddress, line2: null };
  const body = { ...orderBody, fromCart: null, shippingAddress };
  expect((await gateway.http("POST", "/api/v1/orders", { token: ann.token, body })).status).toBe(201);
  expect(gateway.reached.at(-1)!.params).not.toHaveProperty("fromCart");
  const item = { productId: product.id, quantity: 2 };
  expect((await gateway.http("PUT", `/api/v1/cart/items/${product.id}`, { token: ann.token, body: item })).status).toBe(
    200,
  );
  const { status } = await gateway.http("PATCH", `/api/v1/products/${product.id}`, {
    token: admin.token,
    body: product,
  });
  expect(status).toBe(200);
});

test("a merge patch is what our PATCH takes, and no other method's", async () => {
  const headers = { "content-type": "application/merge-patch+json" };
  const url = `/api/v1/products/${product.id}`;
  const patched = await gateway.http("PATCH", url, { token: admin.token, body: { name: "B", image: null }, headers });
  expect([patched.status, gateway.reached.at(-1)!.params]).toEqual([200, { id: product.id, name: "B", image: null }]);
  expect((await gateway.http("PATCH", url, { token: admin.token, body: { name: null }, headers })).status).toBe(422);
  expect((await gateway.http("POST", "/api/v1/orders", { token: ann.token, body: orderBody, headers })).status).toBe(
    415,
  );
});
