// Idempotency-Keys on routes whose action is no actor's command, in each place that keeps the answers: two gateways that
// share it get the same requests.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { answerHandlers } from "../../accounts/answers/actions.ts";
import { answerTable, SqlAnswers } from "../../accounts/answers/sql-answers.ts";
import { EntityId } from "../../contract/index.ts";
import { Sql } from "../../database/mixin.ts";
import { newId, Refusal, Unavailable } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { newDatabases, RedisServer, type Databases } from "../../testing/servers.ts";
import { book, loanBody, looseRoute, routes, startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";
import { Gateway } from "../mixin.ts";

/** The part of `accounts` that keeps answers, under another name. */
const keeper = {
  name: "keeper",
  mixins: [Sql({ migrations: [answerTable] })],
  started(this: { answers: SqlAnswers; database: never }) {
    this.answers = new SqlAnswers(this.database);
  },
  actions: answerHandlers,
} as unknown as ServiceSchema;
const secretRoute = looseRoute("POST /books/:id/key", "books.copies", {
  summary: "A key to the room of rare books",
  path: { id: EntityId },
  params: () => ({ isbn: "1" }),
  secret: true,
});
const gatewayOf = () => Gateway({ api: { name: "Library" }, routes: [...routes, secretRoute], answers: "keeper" });
const bookBody = { isbn: "978-0", title: "A Book", about: "" };

describe.each(["Redis", "SQL"])("answers in %s", place => {
  let server: RedisServer | undefined;
  let databases: Databases;
  let gateways: [Library, Library];
  let create: () => unknown;
  let admin: string;

  beforeAll(async () => {
    databases = await newDatabases();
    if (place === "Redis") server = await RedisServer.start();
    const env = { ...databases.env, REQUEST_TIMEOUT_MS: "2000", ...(server && { REDIS_URL: server.url }) };
    const start = () => startLibrary({ "books.create": () => create() }, [keeper], env, gatewayOf());
    gateways = [await start(), await start()];
  });
  afterAll(async () => {
    for (const gateway of gateways) await gateway.broker.stop();
    await databases.remove();
    await server?.stop();
  });
  beforeEach(async () => {
    admin = newId();
    create = () => book;
    for (const { reached } of gateways) reached.length = 0;
  });

  const ask = async (at: number, method: string, path: string, key: string, body?: unknown, user = admin) => {
    const gateway = gateways[at]!;
    // Each gateway of these tests trusts a signer of its own.
    const token = await gateway.token(user, ["reader", "admin"]);
    return gateway.http(method, `/api/v1${path}`, { token, body, headers: { "idempotency-key": key } });
  };
  const executions = (action = "books.create") =>
    gateways.flatMap(({ reached }) => reached.filter(call => call.action === action)).length;

  test("of fifty requests at once, at both gateways, one is carried out; the others are told that it runs", async () => {
    const key = newId();
    const { promise: held, resolve: finish } = Promise.withResolvers<object>();
    create = () => held;
    let told = 0;
    const all = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        const answer = await ask(n % 2, "POST", "/books", key, bookBody);
        if (answer.status === 409 && ++told === 49) finish(book);
        return answer;
      }),
    );
    expect(executions()).toBe(1);
    expect(all.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const { status, json, headers } of all)
      if (status !== 201)
        expect([status, json.type, headers.get("retry-after")]).toEqual([
          409,
          "/problems/idempotency-key-in-progress",
          "1",
        ]);
  });

  test("a repeat gets the first answer with its headers, marked, at any gateway and however it is spelt", async () => {
    const key = newId();
    const first = await ask(0, "POST", "/books", key, bookBody);
    const { isbn, title, about } = bookBody;
    const again = await ask(
      1,
      "POST",
      "/books",
      `"${key}"`,
      ` {"about": "${about}", "title":"${title}","isbn":"${isbn}"}`,
    );
    expect([first.status, again.status, again.text]).toEqual([201, 201, first.text]);
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect([first, again].map(({ headers }) => headers.get("idempotency-replayed"))).toEqual([null, "true"]);
    expect(executions()).toBe(1);
  });

  test("another body, another path or another route is told so, or is another request; so is another user's", async () => {
    const key = newId();
    await ask(0, "POST", "/books", key, bookBody);
    const other = await ask(1, "POST", "/books", key, { ...bookBody, title: "Another" });
    expect([other.status, other.json.type, other.json.errors]).toEqual([
      422,
      "/problems/idempotency-key-reused",
      [{ field: "Idempotency-Key", message: "this key was used before, for another request: send a new key" }],
    ]);
    expect(executions()).toBe(1);
    expect((await ask(1, "POST", "/books", key, { ...bookBody, title: "Another" }, newId())).status).toBe(201);
    expect((await ask(1, "PATCH", `/books/${book.id}`, key, { title: "Another" })).status).toBe(200);
    expect((await ask(1, "PATCH", `/books/${newId()}`, key, { title: "Another" })).status).toBe(422);
    expect(executions()).toBe(2);
  });

  test("a credential that is narrowed to scopes gets no answer that another one has got", async () => {
    const key = newId();
    await ask(0, "POST", "/books", key, bookBody);
    const scoped = await gateways[0].signer.sign({ sub: admin, roles: ["reader", "admin"], scope: "shelves:read" });
    const request = { token: scoped, body: bookBody, headers: { "idempotency-key": key } };
    const refused = await gateways[0].http("POST", "/api/v1/books", request);
    expect(refused.headers.has("idempotency-replayed")).toBe(false);
  });

  if (place === "Redis")
    test("a store that is frozen refuses, and leaves the key free once it goes on", async () => {
      const key = newId();
      server!.pause();
      const refused = await ask(0, "POST", "/books", key, bookBody).finally(() => server!.resume());
      expect(refused.status).toBe(503);
      const statuses: number[] = [];
      await until("the key is free", async () => {
        statuses.push((await ask(0, "POST", "/books", key, bookBody)).status);
        return statuses.at(-1) !== 503 && statuses.at(-1) !== 409;
      });
      expect(statuses.at(-1)).toBe(201);
      expect(executions()).toBe(1);
    });

  test("without a body, and with an entity tag, answers are repeated whole", async () => {
    const [key, bookId] = [newId(), newId()];
    for (const [n, replayed] of [null, "true"].entries()) {
      const removed = await ask(n, "DELETE", `/books/${book.id}`, key);
      expect([removed.status, removed.text, removed.headers.get("idempotency-replayed")]).toEqual([204, "", replayed]);
      const put = await ask(n, "PUT", `/shelf/items/${bookId}`, key, { days: 3 });
      expect([put.status, put.json, put.headers.get("idempotency-replayed")]).toEqual([
        200,
        { items: [{ bookId, days: 3 }] },
        replayed,
      ]);
      expect([put.headers.get("etag"), put.headers.get("content-location")]).toEqual([
        expect.stringMatching(/^".+"$/),
        "/api/v1/shelf",
      ]);
    }
    expect([executions("books.remove"), executions("shelves.put")]).toEqual([1, 1]);
  });

  test("a refusal wrote nothing: the same key may be tried again, also with a body that is mended", async () => {
    const key = newId();
    expect((await ask(0, "POST", "/books", key, { title: "no ISBN" })).status).toBe(422);
    for (const refusal of [
      new Refusal("ISBN_TAKEN"),
      new Unavailable("DATABASE_BUSY"),
      new Refusal("TOO_MANY_BOOKS", { status: 429 }),
    ]) {
      create = () => Promise.reject(refusal);
      const refused = await ask(1, "POST", "/books", key, bookBody);
      expect([refused.status, refused.headers.has("idempotency-replayed")]).toEqual([refusal.code, false]);
    }
    create = () => book;
    expect((await ask(0, "POST", "/books", key, { ...bookBody, about: "mended" })).status).toBe(201);
    expect(executions()).toBe(4);
  });

  test("after an unknown outcome the key stays taken: it is not known whether a second attempt would be one too many", async () => {
    const key = newId();
    create = () => Promise.reject(new Unavailable("CONNECTION_LOST", { outcome: "unknown" }));
    expect((await ask(0, "POST", "/books", key, bookBody)).status).toBe(504);
    create = () => book;
    for (const at of [0, 1]) {
      const again = await ask(at, "POST", "/books", key, bookBody);
      expect([again.status, again.headers.get("retry-after")]).toEqual([409, "1"]);
    }
    expect(executions()).toBe(1);
  });

  test("an answer that is too large, or holds a secret, is not kept: a repeat is told that it was carried out", async () => {
    const key = newId();
    create = () => ({ ...book, about: "x".repeat(limits.answerBytesMax) });
    expect((await ask(0, "POST", "/books", key, bookBody)).status).toBe(201);
    expect((await ask(0, "POST", `/books/${book.id}/key`, key, {})).status).toBe(200);
    for (const path of ["/books", `/books/${book.id}/key`]) {
      const again = await ask(1, "POST", path, key, path === "/books" ? bookBody : {});
      expect([again.status, again.json.type]).toEqual([409, "/problems/idempotency-answer-not-kept"]);
    }
    expect([executions(), executions("books.copies")]).toEqual([1, 1]);
  });

  test("routes that read, and public ones, take no key: even a malformed one changes nothing", async () => {
    expect((await ask(0, "GET", "/books", "two, keys")).status).toBe(200);
    expect((await ask(0, "POST", "/auth/login", "two, keys", { email: "a@example.com", password: "x" })).status).toBe(
      200,
    );
    const refused = await ask(0, "POST", "/books", "two, keys", bookBody);
    expect([refused.status, refused.json.type]).toEqual([400, "/problems/bad-idempotency-key"]);
  });

  test("a command of an actor is claimed while it runs; its own record is what repeats it", async () => {
    const key = newId();
    const all = await Promise.all(Array.from({ length: 50 }, () => ask(0, "POST", "/loans", key, loanBody)));
    const made = all.filter(({ status }) => status === 201);
    expect(made.length).toBeGreaterThan(0);
    expect(new Set(made.map(({ json }) => json.id)).size).toBe(1);
    for (const { status, json } of all)
      if (status !== 201) expect(json.type).toBe("/problems/idempotency-key-in-progress");
    const again = await ask(0, "POST", "/loans", key, loanBody);
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
  });
});
