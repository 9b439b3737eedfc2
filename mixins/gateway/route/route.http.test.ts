// Body, query, path and keys of requests, through a real gateway.
import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { idFrom, newId } from "../../kernel/index.ts";
import { raw } from "../gateway.fixture.ts";
import { book, loanBody, startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";

let gateway: Library;
let ann: { id: string; token: string };
let admin: { id: string; token: string };

beforeAll(async () => {
  gateway = await startLibrary();
  const [a, b] = [newId(), newId()];
  ann = { id: a, token: await gateway.token(a) };
  admin = { id: b, token: await gateway.token(b, ["reader", "admin"]) };
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.reached.length = 0;
});
const actionsReached = () => gateway.reached.map(({ action }) => action).filter(action => action !== "accounts.jwks");

describe("a request", () => {
  const borrow = (body: unknown, headers: Record<string, string> = {}) =>
    gateway.http("POST", "/api/v1/loans", { token: ann.token, body, headers });

  test("P6 a prototype in the body is refused and reaches no one", async () => {
    for (const key of ["__proto__", "constructor"]) {
      const { status, json } = await borrow(`{"${key}":{"admin":true}, "fromShelf": true}`);
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

  test("P6 numbers of a query arrive as numbers, and text in their place is refused by name", async () => {
    await gateway.http("GET", "/api/v1/books?page=2&pageSize=50&q=12");
    expect(gateway.reached[0]!.params).toEqual({ page: 2, pageSize: 50, q: "12" });
    for (const query of [
      "page=1e9",
      "pageSize=1000000000",
      "page=-1",
      "page=1&page=2",
      "page[x]=1",
      "sort=id;drop",
      "__proto__[x]=1",
    ])
      expect([query, (await gateway.http("GET", `/api/v1/books?${query}`)).status]).toEqual([query, 422]);
    expect(gateway.reached).toHaveLength(1);
  });

  test("P6 ids in paths are checked by name", async () => {
    for (const path of ["/api/v1/books/1;drop", "/api/v1/copies/%27or%271", "/api/v1/loans/a b"]) {
      const { status, json } = await gateway.http("GET", path.replace(" ", "%20"), { token: ann.token });
      expect([path, status]).toEqual([path, 422]);
      expect(["id", "isbn"]).toContain(json.errors[0].field);
    }
    expect(actionsReached()).toEqual([]);
  });

  test("another content type, another encoding and a body on GET are refused", async () => {
    const body = JSON.stringify(loanBody);
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data",
      "application/json; charset=utf-16",
      "",
    ])
      expect([type, (await borrow(body, { "content-type": type })).status]).toEqual([type, 415]);
    expect((await borrow(body, { "content-encoding": "gzip" })).status).toBe(415);
    const get =
      "GET /api/v1/books HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    expect(await raw(gateway.port, get)).toMatch(/^HTTP\/1\.1 400 /);
    expect(actionsReached()).toEqual([]);
  });

  test("broken, large and deep JSON are refused", async () => {
    const big = JSON.stringify({ ...loanBody, pad: "x".repeat(limits.bodyBytesMax) });
    expect((await borrow("{ broken")).json.type).toBe("/problems/malformed-json");
    expect((await borrow("7")).json.errors).toEqual([{ field: "body", message: "must be an object" }]);
    expect((await borrow(big)).status).toBe(413);
    expect((await borrow(`{"a":${"[".repeat(4_900)}${"]".repeat(4_900)}}`)).json.type).toBe("/problems/body-too-deep");
    expect((await borrow("[]")).status).toBe(422);
    expect(actionsReached()).toEqual([]);
  });

  test("a body that lies about its size in chunks is cut at the limit", async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const headers = { authorization: `Bearer ${ann.token}`, "content-type": "application/json" };
      const call = request(`${gateway.url}/api/v1/loans`, { method: "POST", headers }, res => {
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
    expect((await gateway.http("GET", `/api/v1/books?q=${"a".repeat(5_000)}`)).status).toBe(414);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});

describe("a key", () => {
  const place = (key: string | undefined, body: unknown = loanBody, token = ann.token) =>
    gateway.http("POST", "/api/v1/loans", {
      token,
      body,
      headers: key === undefined ? {} : { "idempotency-key": key },
    });

  test("P3 a repeated Idempotency-Key reaches the same actor under the same command id and gets the same answer", async () => {
    const first = await place('"key-0001"');
    const again = await place("key-0001");
    expect(first.status).toBe(201);
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    expect([first, again].map(({ headers }) => headers.get("idempotency-replayed"))).toEqual([null, "true"]);
    expect(first.json).toMatchObject({ id: idFrom(ann.id, "key-0001"), status: "opened" });
    expect(first.headers.get("location")).toBe(`/api/v1/loans/${first.json.id}`);
    expect(gateway.reached.map(({ commandId }) => commandId)).toEqual(Array(2).fill(`client:${ann.id}:key-0001`));
    expect(gateway.reached[0]!.params).toEqual({ ...loanBody, id: first.json.id, reader: ann.id });
  });

  test("P3 the same key with another body is refused, and names another actor for another user", async () => {
    const mine = await place("key-0002");
    const other = await place("key-0002", { ...loanBody, lines: [{ bookId: book.id, days: 3 }] });
    expect([other.status, other.json.type]).toEqual([422, "/problems/idempotency-key-reused"]);
    expect(other.headers.get("idempotency-replayed")).toBeNull();
    expect(other.json.errors).toEqual([{ field: "Idempotency-Key", message: expect.any(String) }]);
    const theirs = await place("key-0002", loanBody, admin.token);
    expect(theirs.json.id).not.toBe(mine.json.id);
  });

  test("without a key each loan is a new one", async () => {
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

  test("If-None-Match: * does not make a POST a 304: there are loans, so nothing is done", async () => {
    const { status, json } = await gateway.http("POST", "/api/v1/loans", {
      token: ann.token,
      body: loanBody,
      headers: { "if-none-match": "*" },
    });
    expect([status, json.type]).toEqual([412, "/problems/precondition-failed"]);
    expect(actionsReached()).toEqual([]);
  });
});

test("a webhook reaches its action byte for byte, with its signature, from anybody", async () => {
  const body = '{"key": "loan-1",  "status":"authorized"}';
  const { status } = await gateway.http("POST", "/api/v1/notices/webhook", {
    body,
    headers: { "webhook-signature": "t=1,v1=00" },
  });
  expect(status).toBe(200);
  expect(gateway.reached.at(-1)).toMatchObject({
    action: "loans.notify",
    params: { body, signature: "t=1,v1=00" },
  });
  const unsigned = await gateway.http("POST", "/api/v1/notices/webhook", { body });
  expect(unsigned.status).toBe(200);
  expect(gateway.reached.at(-1)!.params).toEqual({ body, signature: "" });
});
