// Pages of allowed origins may read every answer, and no other page any.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { raw } from "../gateway.fixture.ts";
import { book, startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";

const READER = "https://reader.example.com";
const LOCAL = "http://localhost:5173";
let gateway: Library;
let token: string;
beforeAll(async () => {
  gateway = await startLibrary({}, [], { ALLOWED_ORIGINS: `${READER},${LOCAL}` });
  token = await gateway.token(newId());
});
afterAll(() => gateway.stop());

const from = (origin: string, more: Record<string, string> = {}) => ({ headers: { origin, ...more } });
const BOOK = `/api/v1/books/${book.id}`;

describe("the answer to an allowed origin names it", () => {
  test.each([
    ["an answer", "GET", BOOK, 200],
    ["an endpoint", "GET", "/health/live", 200],
    ["the description", "GET", "/openapi.json", 200],
    ["a private answer without a token", "GET", "/api/v1/shelf", 401],
    ["a missing path", "GET", "/nowhere", 404],
    ["a method that is not there", "PUT", "/api/v1/books", 405],
    ["fields that are wrong", "GET", "/api/v1/books?page=0", 422],
    ["a malformed path", "GET", "/api/v1/a%2fb", 400],
    ["a body without a type", "POST", "/api/v1/auth/login", 415],
  ])("%s", async (_what, method, path, status) => {
    for (const origin of [READER, LOCAL]) {
      const body = method === "POST" ? { body: "x", headers: { origin, "content-type": "text/plain" } } : from(origin);
      const answer = await gateway.http(method, path, body);
      expect(answer.status).toBe(status);
      expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
      expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
      expect(answer.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
      expect(answer.headers.get("vary")).toContain("Origin");
      const exposed = answer.headers.get("access-control-expose-headers")!.split(", ");
      expect(exposed).toEqual(
        expect.arrayContaining([
          "ETag",
          "Location",
          "Link",
          "RateLimit",
          "RateLimit-Policy",
          "Retry-After",
          "X-Request-ID",
          "Deprecation",
          "Sunset",
          "Idempotency-Replayed",
          "Content-Location",
        ]),
      );
    }
  });

  test("an event stream, and its refusal", async () => {
    const user = newId();
    const loan = newId();
    const event = { type: "loan.returned", version: 1, at: "2026-01-01T00:00:00.000Z", data: {} };
    gateway.histories.set(loan, { owner: user, events: [event] });
    const path = `/api/v1/loans/${loan}/stream`;
    const headers = { origin: READER, authorization: `Bearer ${await gateway.token(user)}` };
    const stream = await gateway.http("GET", path, { headers });
    expect([stream.status, stream.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    expect(stream.headers.get("access-control-allow-origin")).toBe(READER);
    expect(stream.headers.get("content-encoding")).toBeNull();
    const refused = await gateway.http("GET", path, from(READER));
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, READER]);
  });

  test("to a request with too many fields or a wrong Host, too", async () => {
    const fields = "a:\r\n".repeat(limits.headersMax);
    for (const more of [fields, "Host: b\r\n"]) {
      const text = await raw(
        gateway.port,
        `GET /health/live HTTP/1.1\r\nHost: a\r\nOrigin: ${READER}\r\nConnection: close\r\n${more}\r\n`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect(text).toContain(`Access-Control-Allow-Origin: ${READER}\r\n`);
    }
  });
});

describe("a preflight", () => {
  const preflight = (origin: string, path: string, method: string, headers = "authorization,if-match") =>
    gateway.http("OPTIONS", path, {
      headers: {
        origin,
        "access-control-request-method": method,
        "access-control-request-headers": headers,
      },
    });

  test("is told the methods of the path, a fixed list of fields, and for how long", async () => {
    gateway.reached.length = 0;
    const { status, headers, text } = await preflight(READER, BOOK, "PATCH", "x-evil,authorization");
    expect([status, text]).toEqual([204, ""]);
    expect(headers.get("access-control-allow-origin")).toBe(READER);
    expect(headers.get("access-control-allow-methods")).toBe("GET, PATCH, DELETE, HEAD, OPTIONS");
    const fields = headers.get("access-control-allow-headers")!;
    expect(fields).toContain("Authorization, Content-Type, Idempotency-Key, If-Match");
    expect(fields).not.toContain("x-evil");
    expect(headers.get("access-control-max-age")).toBe("600");
    expect(headers.get("vary")).toBe("Accept-Encoding, Accept, Origin");
    expect(gateway.reached).toEqual([]);
  });

  test("allows every field that the description names, and the ways to say who one is", async () => {
    const admin = await gateway.token(newId(), ["reader", "admin"]);
    const { json } = await gateway.http("GET", "/openapi.json", { token: admin });
    const named = new Set<string>();
    const look = (part: unknown): void => {
      if (typeof part !== "object" || part === null) return;
      const { in: place, name } = part as { in?: unknown; name?: unknown };
      if (place === "header" && typeof name === "string") named.add(name);
      for (const inner of Object.values(part)) look(inner);
    };
    look(json);
    expect([...named]).toEqual(
      expect.arrayContaining(["X-API-Key", "X-Session", "Request-Timeout", "Idempotency-Key"]),
    );
    const { headers } = await preflight(READER, BOOK, "PATCH");
    const allowed = headers.get("access-control-allow-headers")!.split(", ");
    // Its sender is a server, which signs what it sends.
    named.delete("webhook-signature");
    expect([...named].filter(name => !allowed.includes(name))).toEqual([]);
  });

  test("of a path that is not there is answered, so that the page can read the 404 of its request", async () => {
    const { status, headers } = await preflight(READER, "/nowhere", "GET");
    expect([status, headers.get("access-control-allow-origin")]).toEqual([204, READER]);
    expect((await gateway.http("GET", "/nowhere", from(READER))).status).toBe(404);
    expect((await gateway.http("OPTIONS", "/nowhere", from(READER))).status).toBe(404);
    expect((await preflight("https://other.example", "/nowhere", "GET")).status).toBe(404);
  });
});

test.each([
  "null",
  "https://reader.example.co",
  "https://reader.example.com.evil.example",
  "https://evil.example?https://reader.example.com",
  "https://reader.example.com:444",
  "http://reader.example.com",
  "https://Reader.example.com",
  "https://reader.example.com/",
  "https://x.reader.example.com",
  "*",
  "",
])("an origin %j gets no permission, and the answer as ever", async origin => {
  for (const [method, path] of [
    ["GET", BOOK],
    ["GET", "/nowhere"],
    ["OPTIONS", BOOK],
  ] as const) {
    const { headers } = await gateway.http(method, path, from(origin, { "access-control-request-method": "DELETE" }));
    const permissions = [...headers.keys()].filter(name => name.startsWith("access-control-"));
    expect(permissions).toEqual([]);
    expect(headers.get("vary")).toContain("Origin");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-site");
  }
  const { status } = await gateway.http("GET", "/api/v1/shelf", { token, ...from(origin) });
  expect(status).toBe(200);
});

test.each(["https://reader.example.com/", "*", "null", "https://*.example.com", "https://a.example;https://b.example"])(
  "ALLOWED_ORIGINS=%s stops the start",
  async origins => {
    await expect(startLibrary({}, [], { ALLOWED_ORIGINS: origins })).rejects.toThrow("ALLOWED_ORIGINS");
  },
);
