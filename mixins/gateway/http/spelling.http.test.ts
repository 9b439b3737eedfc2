// Requests that mean the same get the same answer, however a client, a proxy or a balancer writes them.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { raw } from "../gateway.fixture.ts";
import { book, loanBody, startLibrary, type Library } from "../library.fixture.ts";

let gateway: Library;
let token: string;
let admin: string;

beforeAll(async () => {
  gateway = await startLibrary();
  token = await gateway.token(newId());
  admin = await gateway.token(newId(), ["admin"]);
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.reached.length = 0;
});
const actionsReached = () => gateway.reached.map(({ action }) => action).filter(action => action !== "accounts.jwks");
const statuses = (answer: string) => (answer.match(/HTTP\/1\.1 \d{3}/g) ?? []).map(line => Number(line.slice(9)));
const send = (head: string, rest = "") =>
  raw(gateway.port, `${head}\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${admin}\r\n${rest}`);

test.each([
  "application/json;",
  "application/json ; charset=utf8",
  "application/json; charset=UTF-8; v=1",
  'application/json; profile="x"',
])("a body of %s is read", async type => {
  const body = JSON.stringify(loanBody);
  const headers = { "content-type": type };
  expect((await gateway.http("POST", "/api/v1/loans", { token, body, headers })).status).toBe(201);
});

test("PATCH takes a merge patch, and no other method does", async () => {
  const headers = { "content-type": "application/merge-patch+json" };
  const url = `/api/v1/books/${book.id}`;
  const patched = await gateway.http("PATCH", url, { token: admin, body: { title: "B", cover: null }, headers });
  expect([patched.status, gateway.reached.at(-1)!.params]).toEqual([200, { id: book.id, title: "B", cover: null }]);
  expect((await gateway.http("PATCH", url, { token: admin, body: { title: null }, headers })).status).toBe(422);
  expect((await gateway.http("POST", "/api/v1/loans", { token, body: loanBody, headers })).status).toBe(415);
});

describe("chunks without a byte are no body", () => {
  const CHUNKED = "Transfer-Encoding: chunked\r\n\r\n";
  test.each([
    ["GET /api/v1/books HTTP/1.1", 200],
    ["HEAD /api/v1/books HTTP/1.1", 200],
    ["GET /health/live HTTP/1.1", 200],
    ["GET /health/ready HTTP/1.1", 200],
    [`DELETE /api/v1/books/${book.id} HTTP/1.1`, 204],
    [`POST /api/v1/loans/${newId()}/close HTTP/1.1`, 200],
    ["POST /api/v1/loans HTTP/1.1", 422],
  ])("%s: %i", async (head, status) => {
    expect(statuses(await send(head, `${CHUNKED}0\r\n\r\n`))).toEqual([status]);
  });

  test.each([
    ["GET /api/v1/books HTTP/1.1", 400],
    ["GET /health/live HTTP/1.1", 400],
    [`DELETE /api/v1/books/${book.id} HTTP/1.1`, 400],
    [`POST /api/v1/loans/${newId()}/close HTTP/1.1`, 415],
  ])("with one %s is refused: %i", async (head, status) => {
    expect(statuses(await send(head, `${CHUNKED}1\r\nx\r\n0\r\n\r\n`))).toEqual([status]);
    expect(actionsReached()).toEqual([]);
  });

  test("a body in many chunks is read whole", async () => {
    const chunks = JSON.stringify({ reason: "too late" })
      .split("")
      .map(text => `1\r\n${text}\r\n`)
      .join("");
    const type = "Content-Type: application/json\r\n";
    const answer = await send(`POST /api/v1/loans/${newId()}/close HTTP/1.1`, `${type}${CHUNKED}${chunks}0\r\n\r\n`);
    expect(statuses(answer)).toEqual([200]);
    expect(gateway.reached.at(-1)!.params).toMatchObject({ reason: "too late" });
  });

  test("the next request on the connection is its own", async () => {
    const first = `GET /health/live HTTP/1.1\r\nHost: a\r\n${CHUNKED}0\r\n\r\n`;
    const next = "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    expect(statuses(await raw(gateway.port, first + next))).toEqual([200, 404]);
  });
});

test.each([
  ["GET http://library.example/health/live HTTP/1.1", 200],
  ["GET HTTPS://library.example:8443/api/v1/books?pageSize=5 HTTP/1.1", 200],
  ["GET http://[::1]:3000 HTTP/1.1", 200],
  ["GET http://a~b!c/health/live HTTP/1.1", 200],
  ["GET http://a%2db/health/live HTTP/1.1", 200],
  ["GET http://library.example?x=1 HTTP/1.1", 200],
  ["GET http://library.example//x HTTP/1.1", 400],
  ["GET http:///x HTTP/1.1", 400],
  ["GET * HTTP/1.1", 400],
  ["OPTIONS * HTTP/1.1", 204],
  ["OPTIONS http://library.example HTTP/1.1", 204],
  ["OPTIONS / HTTP/1.1", 204],
])("the target of %s: %i", async (head, status) => {
  expect(statuses(await send(head, "\r\n"))).toEqual([status]);
});

test("OPTIONS / of HTTP/1.0, which has no Host", async () => {
  expect(statuses(await raw(gateway.port, "OPTIONS / HTTP/1.0\r\n\r\n"))).toEqual([204]);
  expect(await raw(gateway.port, "OPTIONS * HTTP/1.0\r\n\r\n")).toContain("Allow: GET, HEAD, POST");
});

test("GET / says where things are", async () => {
  const { status, json } = await gateway.http("GET", "/");
  expect([status, json.description]).toEqual([200, "/openapi.json"]);
});

test("UUIDs in capitals are the same ids, in paths, bodies and read tokens", async () => {
  const id = newId();
  const upper = id.toUpperCase();
  await gateway.http("GET", `/api/v1/books/${upper}`);
  await gateway.http("PUT", `/api/v1/shelf/items/${upper}`, { token, body: { days: 1 } });
  const lines = [{ bookId: upper, days: 1 }];
  await gateway.http("POST", "/api/v1/loans", { token, body: { ...loanBody, lines } });
  await gateway.http("GET", `/api/v1/loans/${upper}`, { token });
  await gateway.http("POST", `/api/v1/loans/${upper}/close`, { token });
  await gateway.http("GET", `/api/v1/loans?after=${upper}@2`, { token });
  const seen = gateway.reached.filter(({ action }) => action !== "accounts.jwks").map(({ params }) => params);
  expect(seen).toMatchObject([
    { id },
    { bookId: id },
    { lines: [{ bookId: id }] },
    { id },
    { id },
    { after: `${id}@2` },
  ]);
});

test("blanks after Bearer, and a key in base64", async () => {
  const headers = { authorization: `Bearer   ${token}`, "idempotency-key": "q83vEjRWeJA+/w==" };
  expect((await gateway.http("POST", "/api/v1/loans", { body: loanBody, headers })).status).toBe(201);
});

test("null for a field that is not set, and an answer that is sent back as it came", async () => {
  const desk = { ...loanBody.desk, note: null };
  const body = { ...loanBody, fromShelf: null, desk };
  expect((await gateway.http("POST", "/api/v1/loans", { token, body })).status).toBe(201);
  expect(gateway.reached.at(-1)!.params).not.toHaveProperty("fromShelf");
  const item = { bookId: book.id, days: 2 };
  expect((await gateway.http("PUT", `/api/v1/shelf/items/${book.id}`, { token, body: item })).status).toBe(200);
  const { status } = await gateway.http("PATCH", `/api/v1/books/${book.id}`, { token: admin, body: book });
  expect(status).toBe(200);
});
