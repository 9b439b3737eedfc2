// The gateway as a service: access, answers, and the endpoints beside the API.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { newId, Unavailable } from "../kernel/index.ts";
import { STOPPED, type ConsumerStopped } from "../stream/index.ts";
import { newSigner } from "./gateway.fixture.ts";
import { rolesFor } from "./route/route.ts";
import { book, routes, startLibrary, type Library } from "./library.fixture.ts";

let gateway: Library;
let ann: { id: string; token: string };
let admin: { id: string; token: string };
const fails = new Map<string, unknown>();

beforeAll(async () => {
  gateway = await startLibrary({
    "books.get": () => {
      if (fails.has("books.get")) throw fails.get("books.get");
      return book;
    },
    "books.list": () => fails.get("books.list") ?? { rows: [], total: 0, page: 1, pageSize: 20 },
    "shelves.get": () => (fails.has("shelves.get") ? fails.get("shelves.get") : { items: [] }),
  });
  const [a, b] = [newId(), newId()];
  ann = { id: a, token: await gateway.token(a) };
  admin = { id: b, token: await gateway.token(b, ["reader", "admin"]) };
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.reached.length = 0;
  fails.clear();
});
const actionsReached = () => gateway.reached.map(({ action }) => action).filter(action => action !== "accounts.jwks");

describe("access", () => {
  test("without a token 401 with WWW-Authenticate, without the role 403, and no action runs", async () => {
    const none = await gateway.http("GET", "/api/v1/shelf");
    expect([none.status, none.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    const bad = await gateway.http("GET", "/api/v1/shelf", { token: "x.y.z" });
    expect([bad.status, bad.headers.get("www-authenticate")]).toEqual([401, 'Bearer error="invalid_token"']);
    for (const { method, url } of routes.filter(({ access }) => rolesFor(access).includes("admin"))) {
      const { status } = await gateway.http(method, url.replaceAll(/:\w+/g, "x"), { token: ann.token });
      expect([method, url, status]).toEqual([method, url, 403]);
    }
    expect(actionsReached()).toEqual([]);
  });

  test("the token is looked at before the body", async () => {
    const { status } = await gateway.http("POST", "/api/v1/loans", { body: "{ broken" });
    expect(status).toBe(401);
  });

  test("the action sees the user of the token, and no one on a public route", async () => {
    await gateway.http("GET", "/api/v1/shelf", { token: ann.token });
    await gateway.http("GET", "/api/v1/books", { token: "an.expired.token" });
    const seen = gateway.reached.filter(({ action }) => action !== "accounts.jwks").map(({ user }) => user);
    expect(seen).toEqual([
      { id: ann.id, roles: ["reader"] },
      { id: "", roles: [] },
    ]);
  });

  test("forged and foreign tokens are refused", async () => {
    const { signer } = gateway;
    const claims = { sub: ann.id, roles: ["reader"] };
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
      expect([name, (await gateway.http("GET", "/api/v1/shelf", { token })).status]).toEqual([name, 401]);
    expect(actionsReached()).toEqual([]);
    expect((await gateway.http("GET", "/api/v1/shelf", { token: await signer.sign(claims) })).status).toBe(200);
  });
});

describe("an answer", () => {
  const get = () => gateway.http("GET", `/api/v1/books/${book.id}`);

  test("a failure is a 500 without details, whatever number its error carries", async () => {
    for (const error of [
      new Error("select * from secrets"),
      Object.assign(new Error("duplicate"), { code: "23505" }),
      Object.assign(new Error("upstream secret"), { code: 502, type: "UPSTREAM" }),
      Object.assign(new Error("no type"), { code: 404 }),
    ]) {
      fails.set("books.get", error);
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

  test("unavailable is 503 when nothing was done and 504 when the outcome is unknown, with Retry-After", async () => {
    fails.set("books.get", new Unavailable("MAILBOX_FULL", { retryAfterMs: 2_500 }));
    const none = await get();
    expect([none.status, none.headers.get("retry-after"), none.json.type]).toEqual([
      503,
      "3",
      "/problems/mailbox-full",
    ]);
    fails.set("books.get", new Unavailable("COMMIT_LOST", { outcome: "unknown" }));
    const unknown = await get();
    expect([unknown.status, unknown.headers.get("retry-after")]).toEqual([504, "1"]);
  });

  test("a stored { type: 'Buffer' } and null are JSON like everything else", async () => {
    fails.set("shelves.get", { type: "Buffer", data: [104, 105] });
    const buffer = await gateway.http("GET", "/api/v1/shelf", { token: ann.token });
    expect([buffer.headers.get("content-type"), buffer.json]).toEqual([
      "application/json; charset=utf-8",
      { type: "Buffer", data: [104, 105] },
    ]);
    fails.set("shelves.get", null);
    expect((await gateway.http("GET", "/api/v1/shelf", { token: ann.token })).text).toBe("null");
  });

  test("a list links to its next page, with the other fields of its query", async () => {
    fails.set("books.list", { rows: [], total: 3, page: 1, pageSize: 1, nextCursor: "abc" });
    const successor = '</api/v2/books>; rel="successor-version"';
    const { headers } = await gateway.http("GET", "/api/v1/books?page=1&pageSize=1&q=a%26b&utm_source=x");
    expect(headers.get("link")).toBe(`${successor}, </api/v1/books?pageSize=1&q=a%26b&cursor=abc>; rel="next"`);
    fails.set("books.list", { rows: [], total: 0, pageSize: 1 });
    const last = await gateway.http("GET", "/api/v1/books?pageSize=1&cursor=abc");
    expect(last.headers.get("link")).toBe(`${successor}, </api/v1/books?pageSize=1>; rel="first"`);
    expect((await gateway.http("GET", "/api/v1/books")).headers.get("link")).toBe(successor);
    await gateway.http("GET", "/api/v1/books?cursor=abc");
    expect(gateway.reached.at(-1)!.params).toEqual({ cursor: "abc" });
    expect((await gateway.http("GET", "/api/v1/loans?cursor=%00", { token: ann.token })).status).toBe(422);
  });

  test("204 has no body", async () => {
    const { status, text } = await gateway.http("DELETE", `/api/v1/books/${book.id}`, { token: admin.token });
    expect([status, text]).toEqual([204, ""]);
  });

  test("every response carries the security headers and is not stored", async () => {
    for (const path of [`/api/v1/books/${book.id}`, "/nowhere", "/health/live", "/openapi.json"]) {
      const { headers } = await gateway.http("GET", path);
      expect(headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cache-control")).toBe("private, no-store");
    }
  });

  test("a harmless request id is kept and any other replaced; a correlation id counts for nothing", async () => {
    const ask = async (headers: Record<string, string>) =>
      (await gateway.http("GET", "/nowhere", { headers })).headers.get("x-request-id");
    expect(await ask({ "x-request-id": "request-12345" })).toBe("request-12345");
    for (const id of ["short", "x".repeat(65), "a b c d e f g", "<script>aaaa"])
      expect(await ask({ "x-request-id": id })).toMatch(/^[0-9a-f-]{36}$/);
    expect(await ask({ "x-correlation-id": "correlation-1", "x-request-id": "request-12345" })).toBe("request-12345");
  });
});

describe("beside the API", () => {
  test("a gateway stays ready when a service is away: only the routes of that service answer 503", async () => {
    const own = await startLibrary();
    try {
      expect((await own.http("GET", "/health/ready")).status).toBe(200);
      await own.broker.destroyService("loans");
      const { status, json } = await own.http("GET", "/health/ready");
      expect([status, json]).toEqual([200, { status: "ready", missing: ["loans"] }]);
      expect((await own.http("GET", "/api/v1/books")).status).toBe(200);
      expect((await own.http("GET", "/api/v1/loans", { token: await own.token(newId()) })).status).toBe(503);
    } finally {
      await own.stop();
    }
  });

  test("a gateway starts until every service of its process says that it is ready, and asks no more after that", async () => {
    let isFilled = false;
    const own = await startLibrary({}, [{ name: "filling", methods: { ready: () => isFilled } }]);
    try {
      const ready = async () => {
        const { status, json } = await own.http("GET", "/health/ready");
        return [status, json];
      };
      const startup = async () => (await own.http("GET", "/health/startup")).status;
      expect(await ready()).toEqual([503, { status: "starting", missing: ["filling"] }]);
      expect(await startup()).toBe(503);
      isFilled = true;
      expect(await ready()).toEqual([200, { status: "ready", missing: [] }]);
      isFilled = false;
      expect(await ready()).toEqual([200, { status: "ready", missing: ["filling"] }]);
      expect(await startup()).toBe(200);
    } finally {
      await own.stop();
    }
  });

  test("a consumer that stands still is named, and the gateway stays ready", async () => {
    const own = await startLibrary();
    try {
      const stopped = { service: "reminders", consumer: "reminders", source: "loans" } satisfies ConsumerStopped;
      await own.broker.broadcast(STOPPED, stopped);
      const { status, json } = await own.http("GET", "/health/ready");
      expect([status, json]).toEqual([
        200,
        { status: "ready", missing: [], stopped: ["reminders: reminders on loans"] },
      ]);
    } finally {
      await own.stop();
    }
  });

  test("health, metrics and the keys", async () => {
    expect((await gateway.http("GET", "/health/live")).json).toEqual({ status: "live" });
    expect((await gateway.http("GET", "/health/ready")).json).toEqual({ status: "ready", missing: [] });
    const metrics = await gateway.http("GET", "/metrics", { token: admin.token });
    expect(metrics.text).toMatch(/^valence_http_requests_total\{method="GET",route="none",status="200"\} \d/m);
    expect(metrics.text).toMatch(
      /^valence_http_request_duration_seconds_bucket\{method="GET",route="none",le="0.25"\} \d/m,
    );
    const jwks = await gateway.http("GET", "/.well-known/jwks.json");
    expect([jwks.json.keys[0].kid, jwks.headers.get("cache-control")]).toEqual(["key-1", "public, max-age=300"]);
  });

  test("paths, methods and headers that clients make up make no series", async () => {
    const seriesNow = async (): Promise<number> => {
      const { text } = await gateway.http("GET", "/metrics", { token: admin.token });
      return text.split("\n").filter(line => line.startsWith("valence_http_request")).length;
    };
    const attack = (i: number) =>
      gateway.http(["GET", "PURGE", "PROPFIND", "POST"][i % 4]!, `/api/v1/${newId()}/${i}?q=${newId()}`, {
        headers: { "User-Agent": newId(), traceparent: newId(), "X-Request-ID": newId(), Host: `${newId()}.example` },
      });
    for (let i = 0; i < 4; i++) await attack(i);
    const before = await seriesNow();
    for (let i = 0; i < 500; i += 50) await Promise.all(Array.from({ length: 50 }, (_, n) => attack(i + n)));
    // A status more, such as one of an overload, is one of the gateway's.
    expect((await seriesNow()) - before).toBeLessThan(10);
  });

  test("the OpenAPI document describes every route, resolves every reference and has the answers of actions", async () => {
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
    expect(named(document.paths["/api/v1/loans"].post.requestBody.content["application/json"]).required).toEqual([
      "desk",
    ]);
    expect(document.paths["/api/v1/loans"].post.parameters[0]).toMatchObject({
      name: "Idempotency-Key",
      in: "header",
    });
    const headersOf = (url: string, method: string) =>
      (document.paths[url][method].parameters as { in: string; name: string }[])
        .filter(parameter => parameter.in === "header")
        .map(({ name }) => name);
    expect(headersOf("/api/v1/books/{id}", "get")).toEqual(["If-None-Match"]);
    expect(headersOf("/api/v1/shelf/items/{bookId}", "put")).toContain("If-Match");
    expect(document.paths["/api/v1/books"].get.security).toEqual([]);
  });

  test("the OpenAPI document lists the errors of every operation: the contract's for its action, and the gateway's", async () => {
    const { json: document } = await gateway.http("GET", "/openapi.json", { token: admin.token });
    const codesOf = (method: string, url: string, status: number): string[] => {
      const template = url.replaceAll(/:(\w+)/g, "{$1}");
      const { responses } = document.paths[template][method.toLowerCase()];
      const name = responses[status]?.$ref?.split("/").at(-1);
      const { content } = name === undefined ? (responses[status] ?? {}) : document.components.responses[name];
      const types: string[] = content?.["application/problem+json"].schema.allOf[1].properties.type.enum ?? [];
      return types.map(type => type.replace("/problems/", ""));
    };
    // No param of the URL names a book, so a missing one is an error of the body.
    expect(codesOf("POST", "/api/v1/loans", 422)).toEqual(
      expect.arrayContaining(["book-not-found", "validation-error"]),
    );
    expect(codesOf("POST", "/api/v1/loans", 409)).toEqual(
      expect.arrayContaining(["desk-closed", "idempotency-key-abandoned"]),
    );
    expect(codesOf("GET", "/api/v1/loans/:id", 404)).toEqual(["loan-not-found"]);
    expect(codesOf("GET", "/api/v1/loans/:id", 409)).toEqual([]);
    expect(codesOf("GET", "/api/v1/loans/:id/stream", 404)).toEqual(["loan-not-found"]);
    expect(codesOf("GET", "/api/v1/loans/:id/stream", 429)).toEqual(["rate-limited", "too-many-streams"]);
    for (const { method, url, access } of routes) {
      const includes = (status: number, code: string) => codesOf(method, url, status).includes(code);
      expect({
        url,
        validation: includes(422, "validation-error"),
        saturated: includes(503, "saturated"),
        timeout: includes(504, "request-timeout"),
        token: includes(401, "invalid-token"),
        role: includes(403, "forbidden"),
        body: includes(400, "malformed-json"),
      }).toEqual({
        url,
        validation: true,
        saturated: true,
        timeout: true,
        token: access !== "public",
        role: rolesFor(access).length > 0,
        body: !["GET", "DELETE"].includes(method),
      });
    }
  });
});
