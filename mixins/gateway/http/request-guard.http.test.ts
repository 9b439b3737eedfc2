// The request guard and the HTTP server before a real router: paths, methods, framing.
import { connect } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { raw } from "../gateway.fixture.ts";
import { book, routes, startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";
import { SECURITY_HEADERS } from "../../http/siblings.ts";

let gateway: Library;
let admin: { id: string; token: string };

beforeAll(async () => {
  gateway = await startLibrary();
  const id = newId();
  admin = { id, token: await gateway.token(id, ["reader", "admin"]) };
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.reached.length = 0;
});
const actionsReached = () => gateway.reached.map(({ action }) => action).filter(action => action !== "accounts.jwks");

describe("a path", () => {
  test("the routes in the code are the only aliases of the router", () => {
    const aliases = gateway.service.aliases.map(({ method, fullPath }) => `${method} ${fullPath}`).sort();
    expect(aliases).toEqual(routes.map(({ method, url }) => `${method} ${url}`).sort());
    expect(aliases).toHaveLength(new Set(aliases).size);
  });

  test.each([
    "/.env",
    "/api/v0/books",
    "/api/v1/~node/services",
    "/api/v1/$node/health",
    "/api/list-aliases",
    "/api/v1/api/list-aliases",
    "/API/v1/books",
    "/api/v1/Books",
    "/api/v1/books/",
    "/api/v1/STAFF/loans/x/report",
    "/api/v1/staff/loans/x/report/",
  ])("there is nothing at %s", async path => {
    const { status, json } = await gateway.http("GET", path, { token: admin.token });
    expect([status, json.type]).toEqual([404, "/problems/not-found"]);
    expect(actionsReached()).toEqual([]);
  });

  test.each([
    "/../etc/passwd",
    "/api/v1/%2e%2e/x",
    "/api/v1/books/..%2fx",
    "/api/v1/books/a%5cb",
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
    const { status, headers } = await gateway.http("PUT", "/api/v1/books", { token: admin.token });
    expect(status).toBe(405);
    expect(headers.get("allow")).toBe("GET, POST, HEAD, OPTIONS");
    const trace = await raw(gateway.port, "TRACE /api/v1/books HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect(trace).toMatch(/^HTTP\/1\.1 405 /);
  });

  test("OPTIONS answers Allow and never runs an action, with Access-Control-Request-Method either", async () => {
    for (const headers of [{}, { "access-control-request-method": "DELETE", origin: "https://evil.example" }]) {
      const answer = await gateway.http("OPTIONS", `/api/v1/books/${book.id}`, { token: admin.token, headers });
      expect(answer.status).toBe(204);
      expect(answer.headers.get("allow")).toBe("GET, PATCH, DELETE, HEAD, OPTIONS");
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
    expect(actionsReached()).toEqual([]);
  });

  test("HEAD is GET without the body", async () => {
    const { status, text, headers } = await gateway.http("HEAD", `/api/v1/books/${book.id}`);
    expect([status, text]).toEqual([200, ""]);
    expect(Number(headers.get("content-length"))).toBeGreaterThan(100);
  });

  test("X-HTTP-Method-Override changes nothing", async () => {
    const headers = { "x-http-method-override": "DELETE" };
    await gateway.http("GET", `/api/v1/books/${book.id}`, { token: admin.token, headers });
    expect(actionsReached()).toEqual(["books.get"]);
  });
});

describe("the protocol", () => {
  const host = "Host: a\r\nConnection: close\r\n";
  const responses = (text: string) => text.match(/HTTP\/1\.1 \d{3}/g) ?? [];

  test.each([
    ["two Host headers", "GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
    ["no Host header", "GET /health/live HTTP/1.1\r\n\r\n", 400],
    ["a Host that is none", "GET /health/live HTTP/1.1\r\nHost: a b/c?\r\n\r\n", 400],
    [
      "a transfer coding before chunked",
      "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
      501,
    ],
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
    // The last field, the Idempotency-Key, must not get lost.
    const fields = "a:\r\n".repeat(limits.headersMax);
    const loan = `POST /api/v1/loans HTTP/1.1\r\nHost: a\r\n${fields}Idempotency-Key: a-key-of-mine\r\nContent-Length: 0\r\n\r\n`;
    expect(await raw(gateway.port, loan)).toMatch(/^HTTP\/1\.1 431 /);
    expect(actionsReached()).toEqual([]);
  });

  test("input cannot make a header", async () => {
    const answer = await raw(gateway.port, `GET /api/v1/copies/a%0d%0aSet-Cookie:x=1 HTTP/1.1\r\n${host}\r\n`);
    expect(answer.toLowerCase()).not.toContain("set-cookie");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("a refused request is read to its end before the reply, which a closed socket would lose", async () => {
    const body = "x".repeat(90_000);
    const head = `POST /api/v1/loans HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const socket = connect(gateway.port, "127.0.0.1");
    let answer = "";
    socket.on("data", chunk => (answer += chunk.toString("latin1"))).on("error", error => (answer += error.message));
    socket.write(head + body.slice(0, 40_000));
    await new Promise(resolve => setTimeout(resolve, 100));
    expect(answer).toBe("");
    socket.write(body.slice(40_000));
    await until("the reply", () => answer.includes("unauthenticated"));
    expect(answer).toMatch(/^HTTP\/1\.1 401 [^]*connection: keep-alive/i);
    socket.destroy();
  });

  test("a header that drips is cut with 408", async () => {
    const answer = await raw(gateway.port, "GET /health/live HTTP/1.1\r\nHost: a\r\nX-Slow: ", 20_000);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });
});
