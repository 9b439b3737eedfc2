import { request } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { idFrom, newId, Unavailable, METRICS } from "@valence/runtime/kernel";
import { STOPPED, type ConsumerStopped } from "@valence/runtime/stream";
import { newSigner, orderBody, product, raw, startGateway, until, type Gateway } from "./gateway.fixture.ts";
import { limits } from "./limits.ts";
import { SECURITY_HEADERS } from "./respond.ts";
import { routes } from "./routes/index.ts";

let gateway: Gateway;
let ann: { id: string; token: string };
let admin: { id: string; token: string };
const fails = new Map<string, unknown>();

beforeAll(async () => {
  gateway = await startGateway({
    "catalog.get": () => {
      if (fails.has("catalog.get")) throw fails.get("catalog.get");
      return product;
    },
    "catalog.list": () => fails.get("catalog.list") ?? { rows: [], total: 0, page: 1, pageSize: 20 },
    "carts.get": () => (fails.has("carts.get") ? fails.get("carts.get") : { items: [] }),
  });
  const [a, b] = [newId(), newId()];
  ann = { id: a, token: await gateway.token(a) };
  admin = { id: b, token: await gateway.token(b, ["customer", "admin"]) };
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.reached.length = 0;
  fails.clear();
});
const actionsReached = () => gateway.reached.map(({ action }) => action).filter(action => action !== "accounts.jwks");

describe("what is reachable", () => {
  test("the routes in the code are the only aliases of the router", () => {
    const aliases = gateway.service.aliases.map(({ method, fullPath }) => `${method} ${fullPath}`).sort();
    expect(aliases).toEqual(routes.map(({ method, url }) => `${method} ${url}`).sort());
    expect(aliases).toHaveLength(new Set(aliases).size);
  });

  test.each([
    "/.env",
    "/api/v0/products",
    "/api/v1/~node/services",
    "/api/v1/$node/health",
    "/api/list-aliases",
    "/api/v1/api/list-aliases",
    "/API/v1/products",
    "/api/v1/Products",
    "/api/v1/products/",
    "/api/v1/OPS/nodes",
    "/api/v1/ops/nodes/",
  ])("there is nothing at %s", async path => {
    const { status, json } = await gateway.http("GET", path, { token: admin.token });
    expect([status, json.type]).toEqual([404, "/problems/not-found"]);
    expect(actionsReached()).toEqual([]);
  });

  test.each([
    "/../etc/passwd",
    "/api/v1/%2e%2e/x",
    "/api/v1/products/..%2fx",
    "/api/v1/products/a%5cb",
    "/x%00",
    "/x%ff",
    "/%zz",
    "//host/",
    "/a//b",
  ])("the path %s is refused", async path => {
    const answer = await raw(gateway.port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("a wrong method is 405 with Allow, and TRACE too", async () => {
    const { status, headers } = await gateway.http("PUT", "/api/v1/products", { token: admin.token });
    expect(status).toBe(405);
    expect(headers.get("allow")).toBe("GET, POST, HEAD, OPTIONS");
    const trace = await raw(gateway.port, "TRACE /api/v1/products HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect(trace).toMatch(/^HTTP\/1\.1 405 /);
  });

  test("OPTIONS answers Allow and never runs an action, with Access-Control-Request-Method either", async () => {
    for (const headers of [{}, { "access-control-request-method": "DELETE", origin: "https://evil.example" }]) {
      const answer = await gateway.http("OPTIONS", `/api/v1/products/${product.id}`, { token: admin.token, headers });
      expect(answer.status).toBe(204);
      expect(answer.headers.get("allow")).toBe("GET, PATCH, DELETE, HEAD, OPTIONS");
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
    expect(actionsReached()).toEqual([]);
  });

  test("HEAD is GET without the body, and streams have none", async () => {
    const { status, text, headers } = await gateway.http("HEAD", `/api/v1/products/${product.id}`);
    expect([status, text]).toEqual([200, ""]);
    expect(Number(headers.get("content-length"))).toBeGreaterThan(100);
    expect((await gateway.http("HEAD", "/api/v1/orders/x/stream", { token: ann.token })).status).toBe(405);
  });

  test("X-HTTP-Method-Override changes nothing", async () => {
    const headers = { "x-http-method-override": "DELETE" };
    await gateway.http("GET", `/api/v1/products/${product.id}`, { token: admin.token, headers });
    expect(actionsReached()).toEqual(["catalog.get"]);
  });
});

describe("who asks", () => {
  test("without a token 401 with WWW-Authenticate, without the role 403, and no action runs", async () => {
    const none = await gateway.http("GET", "/api/v1/cart");
    expect([none.status, none.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    const bad = await gateway.http("GET", "/api/v1/cart", { token: "x.y.z" });
    expect([bad.status, bad.headers.get("www-authenticate")]).toEqual([401, 'Bearer error="invalid_token"']);
    for (const { method, url } of routes.filter(({ access }) => access === "admin")) {
      const { status } = await gateway.http(method, url.replaceAll(/:\w+/g, "x"), { token: ann.token });
      expect([method, url, status]).toEqual([method, url, 403]);
    }
    expect(actionsReached()).toEqual([]);
  });

  test("the token is looked at before the body", async () => {
    const { status } = await gateway.http("POST", "/api/v1/orders", { body: "{ broken" });
    expect(status).toBe(401);
  });

  test("the action sees the user of the token, and no one on a public route", async () => {
    await gateway.http("GET", "/api/v1/cart", { token: ann.token });
    await gateway.http("GET", "/api/v1/products", { token: "an.expired.token" });
    const seen = gateway.reached.filter(({ action }) => action !== "accounts.jwks").map(({ user }) => user);
    expect(seen).toEqual([
      { id: ann.id, roles: ["customer"] },
      { id: "", roles: [] },
    ]);
  });

  test("forged and foreign tokens are refused", async () => {
    const { signer } = gateway;
    const claims = { sub: ann.id, roles: ["customer"] };
    const stranger = await newSigner("key-1");
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const tokens = {
      "another key under the same id": await stranger.sign(claims),
      "an unknown key id": await signer.sign(claims, { kid: "key-2" }),
      "no key id": await signer.sign(claims, { kid: undefined as never }),
      "another type": await signer.sign(claims, { typ: "JWT" }),
      "another audience": await signer.sign({ ...claims, aud: "else" }),
      "another issuer": await signer.sign({ ...claims, iss: "else" }),
      "no expiry": await signer.sign(claims, {}, ""),
      expired: await signer.sign(claims, {}, 1_000_000),
      "no subject": await signer.sign({ roles: ["admin"] }),
      "no roles": await signer.sign({ sub: ann.id }),
      "alg none": `${encode({ alg: "none", kid: "key-1", typ: "at+jwt" })}.${encode({ ...claims, exp: 9e9 })}.`,
      "an embedded key": await stranger.sign(claims, { jwk: stranger.jwk, kid: "other" }),
    };
    for (const [name, token] of Object.entries(tokens))
      expect([name, (await gateway.http("GET", "/api/v1/cart", { token })).status]).toEqual([name, 401]);
    expect(actionsReached()).toEqual([]);
    expect((await gateway.http("GET", "/api/v1/cart", { token: await signer.sign(claims) })).status).toBe(200);
  });
});

describe("what is sent", () => {
  const order = (body: unknown, headers: Record<string, string> = {}) =>
    gateway.http("POST", "/api/v1/orders", { token: ann.token, body, headers });

  test("P6 a prototype in the body is refused and reaches no one", async () => {
    for (const key of ["__proto__", "constructor"]) {
      const { status, json } = await order(`{"${key}":{"admin":true}, "fromCart": true}`);
      expect([status, json.errors[0].field]).toEqual([400, key]);
    }
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    expect(actionsReached()).toEqual([]);
  });

  test("P6 the query never stands in for a field of the body", async () => {
    const { status, json } = await gateway.http("POST", "/api/v1/auth/register?role=admin&name=root", {
      body: { email: "a@example.com", password: "longenough", name: "A" },
    });
    expect(status).toBe(422);
    expect(json.errors).toEqual([
      { field: "role", message: "is not allowed" },
      { field: "name", message: "is not allowed" },
    ]);
    expect(actionsReached()).toEqual([]);
  });

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

  test("P6 numbers of a query are numbers, and what is none is named", async () => {
    await gateway.http("GET", "/api/v1/products?page=2&pageSize=50&q=12");
    expect(gateway.reached[0]!.params).toEqual({ page: 2, pageSize: 50, q: "12" });
    for (const query of [
      "page=1e9",
      "pageSize=1000000000",
      "page=-1",
      "page=1&page=2",
      "page[x]=1",
      "utm=1",
      "sort=id;drop",
      "__proto__[x]=1",
    ])
      expect([query, (await gateway.http("GET", `/api/v1/products?${query}`)).status]).toEqual([query, 422]);
    expect(gateway.reached).toHaveLength(1);
  });

  test("P6 ids in paths are checked by name", async () => {
    for (const path of ["/api/v1/products/1;drop", "/api/v1/inventory/%27or%271", "/api/v1/orders/a b"]) {
      const { status, json } = await gateway.http("GET", path.replace(" ", "%20"), { token: ann.token });
      expect([path, status]).toEqual([path, 422]);
      expect(["id", "sku"]).toContain(json.errors[0].field);
    }
    expect(actionsReached()).toEqual([]);
  });

  test("another content type, another encoding and a body on GET are refused", async () => {
    const body = JSON.stringify(orderBody);
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data",
      "application/json; charset=utf-16",
      "",
    ])
      expect([type, (await order(body, { "content-type": type })).status]).toEqual([type, 415]);
    expect((await order(body, { "content-encoding": "gzip" })).status).toBe(415);
    const get =
      "GET /api/v1/products HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    expect(await raw(gateway.port, get)).toMatch(/^HTTP\/1\.1 400 /);
    expect(actionsReached()).toEqual([]);
  });

  test("broken, large and deep JSON are refused", async () => {
    const big = JSON.stringify({ ...orderBody, pad: "x".repeat(limits.bodyBytesMax) });
    expect((await order("{ broken")).json.type).toBe("/problems/malformed-json");
    expect((await order("7")).json.errors).toEqual([{ field: "body", message: "must be an object" }]);
    expect((await order(big)).status).toBe(413);
    expect((await order(`{"a":${"[".repeat(4_900)}${"]".repeat(4_900)}}`)).json.type).toBe("/problems/body-too-deep");
    expect((await order("[]")).status).toBe(422);
    expect(actionsReached()).toEqual([]);
  });

  test("a body that lies about its size in chunks is cut at the limit", async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const headers = { authorization: `Bearer ${ann.token}`, "content-type": "application/json" };
      const call = request(`${gateway.url}/api/v1/orders`, { method: "POST", headers }, res => {
        res.resume();
        resolve(res.statusCode!);
      }).on("error", reject);
      for (let i = 0; i < 20; i++) call.write(" ".repeat(10_000));
      call.end("{}");
    });
    expect(status).toBe(413);
  });

  test("long input is refused in milliseconds", async () => {
    const startedAt = performance.now();
    const email = `${"a".repeat(50_000)}!`;
    expect((await gateway.http("POST", "/api/v1/auth/login", { body: { email, password: email } })).status).toBe(422);
    expect((await gateway.http("GET", `/api/v1/products?q=${"a".repeat(5_000)}`)).status).toBe(414);
    expect(performance.now() - startedAt).toBeLessThan(500);
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

describe("what is answered", () => {
  const get = () => gateway.http("GET", `/api/v1/products/${product.id}`);

  test("a failure says nothing of itself, and is not taken for a refusal by a number that it carries", async () => {
    for (const error of [
      new Error("select * from secrets"),
      Object.assign(new Error("duplicate"), { code: "23505" }),
      Object.assign(new Error("upstream secret"), { code: 502, type: "UPSTREAM" }),
      Object.assign(new Error("no type"), { code: 404 }),
    ]) {
      fails.set("catalog.get", error);
      const { status, json, headers } = await get();
      expect(status).toBe(500);
      expect(json).toEqual({
        type: "/problems/internal",
        title: "Internal Server Error",
        status: 500,
        requestId: headers.get("x-request-id"),
      });
      expect(headers.get("content-type")).toBe("application/problem+json");
    }
  });

  test("unavailable is 503 when nothing was done and 504 when that is not known, with Retry-After", async () => {
    fails.set("catalog.get", new Unavailable("MAILBOX_FULL", { retryAfterMs: 2_500 }));
    const none = await get();
    expect([none.status, none.headers.get("retry-after"), none.json.type]).toEqual([
      503,
      "3",
      "/problems/mailbox-full",
    ]);
    fails.set("catalog.get", new Unavailable("COMMIT_LOST", { outcome: "unknown" }));
    const unknown = await get();
    expect([unknown.status, unknown.headers.get("retry-after")]).toEqual([504, "1"]);
  });

  test("a stored { type: 'Buffer' } and null are JSON like everything else", async () => {
    fails.set("carts.get", { type: "Buffer", data: [104, 105] });
    const buffer = await gateway.http("GET", "/api/v1/cart", { token: ann.token });
    expect([buffer.headers.get("content-type"), buffer.json]).toEqual([
      "application/json; charset=utf-8",
      { type: "Buffer", data: [104, 105] },
    ]);
    fails.set("carts.get", null);
    expect((await gateway.http("GET", "/api/v1/cart", { token: ann.token })).text).toBe("null");
  });

  test("a list links to its next page, with what else was asked for", async () => {
    fails.set("catalog.list", { rows: [], total: 3, page: 1, pageSize: 1, nextCursor: "abc" });
    const { headers } = await gateway.http("GET", "/api/v1/products?page=1&pageSize=1&q=a%26b&utm_source=x");
    expect(headers.get("link")).toBe('</api/v1/products?pageSize=1&q=a%26b&cursor=abc>; rel="next"');
    fails.set("catalog.list", { rows: [], total: 0, pageSize: 1 });
    expect((await gateway.http("GET", "/api/v1/products?cursor=abc")).headers.get("link")).toBeNull();
    expect(gateway.reached.at(-1)!.params).toEqual({ cursor: "abc" });
    expect((await gateway.http("GET", "/api/v1/orders?cursor=%00", { token: ann.token })).status).toBe(422);
  });

  test("204 has no body", async () => {
    const { status, text } = await gateway.http("DELETE", `/api/v1/products/${product.id}`, { token: admin.token });
    expect([status, text]).toEqual([204, ""]);
  });

  test("every response carries the security headers and is not stored", async () => {
    for (const path of [`/api/v1/products/${product.id}`, "/nowhere", "/health/live", "/openapi.json"]) {
      const { headers } = await gateway.http("GET", path);
      expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cache-control")).toBe("no-store");
    }
  });

  test("a harmless request id is kept and any other replaced; a correlation id counts for nothing", async () => {
    const ask = async (headers: Record<string, string>) =>
      (await gateway.http("GET", "/nowhere", { headers })).headers.get("x-request-id");
    expect(await ask({ "x-request-id": "order-12345" })).toBe("order-12345");
    for (const id of ["short", "x".repeat(65), "a b c d e f g", "<script>aaaa"])
      expect(await ask({ "x-request-id": id })).toMatch(/^[0-9a-f-]{36}$/);
    expect(await ask({ "x-correlation-id": "correlation-1", "x-request-id": "order-12345" })).toBe("order-12345");
  });
});

describe("the protocol", () => {
  const host = "Host: a\r\nConnection: close\r\n";
  const responses = (text: string) => text.match(/HTTP\/1\.1 \d{3}/g) ?? [];

  test.each([
    ["two Host headers", "GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
    ["no Host header", "GET /health/live HTTP/1.1\r\n\r\n", 400],
    ["an absolute target of another kind", `GET ftp://evil.example/health/live HTTP/1.1\r\n${host}\r\n`, 400],
    ["an absolute target with a user", `GET http://a@evil.example/health/live HTTP/1.1\r\n${host}\r\n`, 400],
    [
      "Content-Length and chunked",
      "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: a\r\n\r\n",
      400,
    ],
    [
      "two lengths",
      "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
      400,
    ],
    ["a signed length", "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\n{}", 400],
    [
      "an unknown transfer coding",
      "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: a\r\n\r\n",
      400,
    ],
    ["a space before the colon", "GET /health/live HTTP/1.1\r\nHost : a\r\n\r\n", 400],
    ["a folded header", "GET /health/live HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400],
    ["bytes that are no HTTP", "\x16\x03\x01\x02\x00\x01", 400],
    ["a large header", `GET /health/live HTTP/1.1\r\nHost: a\r\nX: ${"a".repeat(20_000)}\r\n\r\n`, 431],
    ["a large target", `GET /${"a".repeat(5_000)} HTTP/1.1\r\n${host}\r\n`, 414],
    [
      "a large chunk extension",
      `POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2;${"a".repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
      413,
    ],
  ])("%s gets one response and the connection closes", async (_name, bytes, status) => {
    const answer = await raw(gateway.port, bytes, 4_000);
    expect(responses(answer)).toEqual([`HTTP/1.1 ${status}`]);
    expect(answer.toLowerCase()).toContain("connection: close");
    expect(answer).toContain("Content-Type: application/problem+json");
    for (const [name, value] of SECURITY_HEADERS) expect(answer).toContain(`${name}: ${value}\r\n`);
    const problem = JSON.parse(answer.slice(answer.indexOf("{")));
    expect(problem).toMatchObject({ status, detail: expect.stringMatching(/./), requestId: expect.any(String) });
    expect(answer).toContain(`X-Request-ID: ${problem.requestId}`);
    expect(actionsReached()).toEqual([]);
  });

  test("header fields are counted, none is dropped, and the refusal says fields", async () => {
    const withFields = (n: number) =>
      raw(gateway.port, `GET /health/live HTTP/1.1\r\nHost: a\r\n${"a:\r\n".repeat(n - 2)}Connection: close\r\n\r\n`);
    expect(await withFields(limits.headersMax)).toMatch(/^HTTP\/1\.1 200 /);
    for (const n of [limits.headersMax + 1, 1_500]) {
      const answer = await withFields(n);
      expect(answer).toMatch(/^HTTP\/1\.1 431 /);
      expect(answer).toContain('"/problems/too-many-fields"');
      expect(answer).toContain(`at most ${limits.headersMax} header fields`);
    }
    // The last of them is the one that matters.
    const fields = "a:\r\n".repeat(limits.headersMax);
    const order = `POST /api/v1/orders HTTP/1.1\r\nHost: a\r\n${fields}Idempotency-Key: a-key-of-mine\r\nContent-Length: 0\r\n\r\n`;
    expect(await raw(gateway.port, order)).toMatch(/^HTTP\/1\.1 431 /);
    expect(actionsReached()).toEqual([]);
  });

  test("input cannot make a header", async () => {
    const answer = await raw(gateway.port, `GET /api/v1/inventory/a%0d%0aSet-Cookie:x=1 HTTP/1.1\r\n${host}\r\n`);
    expect(answer.toLowerCase()).not.toContain("set-cookie");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("a refused request is read to its end before the reply, which a closed socket would lose", async () => {
    const body = "x".repeat(90_000);
    const head = `POST /api/v1/orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const socket = connect(gateway.port, "127.0.0.1");
    let answer = "";
    socket.on("data", chunk => (answer += chunk.toString("latin1"))).on("error", error => (answer += error.message));
    socket.write(head + body.slice(0, 40_000));
    await new Promise(resolve => setTimeout(resolve, 100));
    expect(answer).toBe("");
    socket.write(body.slice(40_000));
    await until(() => answer.includes("unauthenticated"), "the reply");
    expect(answer).toMatch(/^HTTP\/1\.1 401 [^]*connection: keep-alive/i);
    socket.destroy();
  });

  test("a header that drips is cut with 408", async () => {
    const answer = await raw(gateway.port, "GET /health/live HTTP/1.1\r\nHost: a\r\nX-Slow: ", 20_000);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe("beside the API", () => {
  test("a gateway stays ready when a service is away: only that one's routes are put off", async () => {
    const own = await startGateway();
    try {
      expect((await own.http("GET", "/health/ready")).status).toBe(200);
      await own.broker.destroyService("order-views");
      const { status, json } = await own.http("GET", "/health/ready");
      expect([status, json]).toEqual([200, { status: "ready", missing: ["order-views"] }]);
      expect((await own.http("GET", "/api/v1/products")).status).toBe(200);
      expect((await own.http("GET", "/api/v1/orders", { token: await own.token(newId()) })).status).toBe(503);
    } finally {
      await own.stop();
    }
  });

  test("a consumer that stands still is told, and is no reason to send nobody", async () => {
    const own = await startGateway();
    try {
      const stopped = { service: "checkout", consumer: "checkout", source: "orders" } satisfies ConsumerStopped;
      await own.broker.broadcast(STOPPED, stopped);
      const { status, json } = await own.http("GET", "/health/ready");
      expect([status, json]).toEqual([
        200,
        { status: "ready", missing: [], stopped: ["checkout: checkout on orders"] },
      ]);
    } finally {
      await own.stop();
    }
  });

  test("health, metrics and the keys", async () => {
    expect((await gateway.http("GET", "/health/live")).json).toEqual({ status: "live" });
    expect((await gateway.http("GET", "/health/ready")).json).toEqual({ status: "ready", missing: [] });
    const metrics = await gateway.http("GET", "/metrics", { token: admin.token });
    expect(metrics.text).toMatch(/http_request_duration_seconds_count\{method="GET",route="none",status="200"\} \d/);
    const { metrics: registry } = gateway.broker;
    registry.register({ type: "gauge", name: METRICS.sagasStuck, labelNames: ["service"] });
    registry.set(METRICS.sagasStuck, 2, { service: "checkout" });
    registry.register({
      type: "histogram",
      name: METRICS.commitSeconds,
      labelNames: ["service"],
      buckets: [0.01, 0.1],
    });
    registry.observe(METRICS.commitSeconds, 0.05, { service: "orders" });
    expect((await gateway.http("GET", "/metrics", { token: admin.token })).text).toContain(
      [
        "# TYPE valence_saga_stuck gauge",
        'valence_saga_stuck{service="checkout"} 2',
        "# TYPE valence_store_commit_seconds histogram",
        'valence_store_commit_seconds_bucket{service="orders",le="0.01"} 0',
        'valence_store_commit_seconds_bucket{service="orders",le="0.1"} 1',
        'valence_store_commit_seconds_bucket{service="orders",le="+Inf"} 1',
        'valence_store_commit_seconds_sum{service="orders"} 0.05',
        'valence_store_commit_seconds_count{service="orders"} 1',
        "",
      ].join("\n"),
    );
    const jwks = await gateway.http("GET", "/.well-known/jwks.json");
    expect([jwks.json.keys[0].kid, jwks.headers.get("cache-control")]).toEqual(["key-1", "public, max-age=300"]);
  });

  test("the OpenAPI document describes every route, resolves every reference and names what actions answer", async () => {
    const { json: document } = await gateway.http("GET", "/openapi.json", { token: admin.token });
    expect(document.openapi).toBe("3.1.0");
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
        expect([operation.operationId, Object.values<any>(content)[0].schema.type]).toEqual([
          operation.operationId,
          expect.any(String),
        ]);
    }
    expect(ids.size).toBe(routes.length);
    const codesOf = (url: string, method: string, status: number): string[] => {
      const response = document.paths[url][method].responses[status];
      const { content } = response?.$ref
        ? response.$ref
            .slice(2)
            .split("/")
            .reduce((node: any, key: string) => node[key], document)
        : (response ?? { content: undefined });
      return content?.["application/problem+json"].schema.allOf[1].properties.type.enum ?? [];
    };
    // The contract's own, by status; in an order it is the body that names a product.
    expect(codesOf("/api/v1/orders", "post", 409)).toEqual(
      expect.arrayContaining(
        ["order-exists", "price-changed", "idempotency-key-abandoned"].map(code => `/problems/${code}`),
      ),
    );
    expect(codesOf("/api/v1/orders", "post", 422)).toContain("/problems/product-not-found");
    expect(codesOf("/api/v1/products/{id}", "get", 404)).toEqual(["/problems/product-not-found"]);
    expect(codesOf("/api/v1/products/{id}", "get", 409)).toEqual([]);
    // The gateway's, by what the route is.
    for (const { method, url, access } of routes) {
      const codes = (status: number) => codesOf(url.replaceAll(/:(\w+)/g, "{$1}"), method.toLowerCase(), status);
      expect(codes(422)).toContain("/problems/validation-error");
      expect(codes(503)).toContain("/problems/saturated");
      expect(codes(504)).toContain("/problems/request-timeout");
      expect([url, codes(401).includes("/problems/invalid-token")]).toEqual([url, access !== "public"]);
      expect([url, codes(403).includes("/problems/forbidden")]).toEqual([url, access === "admin"]);
      expect([url, codes(400).includes("/problems/malformed-json")]).toEqual([
        url,
        !["GET", "DELETE"].includes(method),
      ]);
    }
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(match =>
      match[1]!.split("/"),
    );
    expect(references.length).toBeGreaterThan(routes.length);
    for (const path of references) expect(path.reduce((node: any, key) => node?.[key], document)).toBeDefined();
    expect(document.paths["/api/v1/orders"].post.requestBody.content["application/json"].schema.required).toEqual([
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
