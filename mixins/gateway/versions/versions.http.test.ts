// Two versions of the library's API side by side, through a real gateway: one action each, two forms.
import { get as httpGet, type IncomingMessage } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { assertConditions, type Conditions } from "../../contract/index.ts";
import { idFrom, newId, Refusal } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { book, loanBody, routes, startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";

let gateway: Library;
let ann: { id: string; token: string };
let admin: { id: string; token: string };
const answers = new Map<string, (ctx: { params: any }) => unknown>();
const second = { ...book, id: newId(), title: "=B", about: "x,y" };

beforeAll(async () => {
  const answer = (action: string, usual: (ctx: any) => unknown) => (ctx: any) => (answers.get(action) ?? usual)(ctx);
  gateway = await startLibrary({
    "books.list": answer("books.list", () => ({ rows: [book, second], total: 2, page: 1, pageSize: 20 })),
    "books.get": answer("books.get", () => book),
    "books.update": answer("books.update", () => book),
    "loans.list": answer("loans.list", () => ({ rows: [], total: 0, page: 1, pageSize: 20 })),
    "books.create": answer("books.create", () => book),
    "loans.dump": answer("loans.dump", () => ({ lines: [] })),
  });
  const [a, b] = [newId(), newId()];
  ann = { id: a, token: await gateway.token(a) };
  admin = { id: b, token: await gateway.token(b, ["reader", "admin"]) };
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.reached.length = 0;
  answers.clear();
});
const paramsReached = () =>
  gateway.reached.filter(({ action }) => action !== "accounts.jwks").map(({ params }) => params);
const get = (path: string, headers: Record<string, string> = {}) =>
  gateway.http("GET", path, { token: admin.token, headers });

const { about, createdAt, updatedAt, ...same } = book;
const renewed = { ...same, blurb: about, created: createdAt, updated: updatedAt };

describe("a newer version", () => {
  test("answers the same resource in its own form, with an envelope", async () => {
    const path = `/api/v2/books/${book.id}`;
    expect((await get(path)).json).toEqual({ data: renewed, links: { self: path }, meta: {} });
    expect((await get(`/api/v1/books/${book.id}`)).json).toEqual(book);
    expect(paramsReached()).toEqual([{ id: book.id }, { id: book.id }]);
  });

  test("takes its own names in bodies and queries; the action gets what it always gets", async () => {
    await gateway.http("POST", "/api/v2/books", {
      token: admin.token,
      body: { isbn: "978-1", title: "B", blurb: "x" },
    });
    await gateway.http("PATCH", `/api/v2/books/${book.id}`, { token: admin.token, body: { blurb: "y", cover: null } });
    await get("/api/v2/books?search=zebra&sort=-name&pageSize=5");
    expect(paramsReached()).toEqual([
      { isbn: "978-1", title: "B", about: "x" },
      { id: book.id, about: "y", cover: null },
      { q: "zebra", sort: "-title", pageSize: 5 },
    ]);
  });

  test("what a client has read may be sent back", async () => {
    const { json } = await get(`/api/v2/books/${book.id}`);
    const { status } = await gateway.http("PATCH", `/api/v2/books/${book.id}`, { token: admin.token, body: json.data });
    expect(status).toBe(200);
    const { id, ...fields } = book;
    expect(paramsReached()[1]).toEqual({ ...fields, id });
  });

  test("P6 knows the names of its own version only", async () => {
    for (const [path, field] of [
      ["/api/v2/books?sort=title", "sort"],
      ["/api/v1/books?sort=name", "sort"],
      ["/api/v2/loans?page=2", "page"],
      ["/api/v2/books?page=2", "page"],
      ["/api/v2/books?q=a&utm=1", "q"],
    ] as const) {
      const { status, json } = await gateway.http("GET", path, { token: ann.token });
      expect([path, status, json.errors?.[0].field]).toEqual([path, 422, field]);
    }
    // A public read ignores what it does not know, a later version's names too.
    await get("/api/v1/books?search=a");
    expect(paramsReached()).toEqual([{}]);
    gateway.reached.length = 0;
    const body = { items: [{ book: "no uuid", days: 3 }], lines: loanBody.lines, desk: { name: "A" } };
    const { status, json } = await gateway.http("POST", "/api/v2/loans", { token: ann.token, body });
    expect(status).toBe(422);
    expect(json.errors.map(({ field }: { field: string }) => field).sort()).toEqual(["items.0.book", "lines"]);
    expect(paramsReached()).toEqual([]);
  });

  test("a refusal of the action names the fields of the version that was asked", async () => {
    answers.set("books.update", () => {
      throw new Refusal("TOO_LONG", { status: 422, errors: [{ field: "about", message: "is too long" }] });
    });
    const change = (version: string, body: object) =>
      gateway.http("PATCH", `/api/${version}/books/${book.id}`, { token: admin.token, body });
    expect((await change("v1", { about: "x" })).json.errors).toEqual([{ field: "about", message: "is too long" }]);
    const { status, json } = await change("v2", { blurb: "x" });
    expect([status, json.type, json.errors]).toEqual([
      422,
      "/problems/too-long",
      [{ field: "blurb", message: "is too long" }],
    ]);
  });

  test("a failure is a 500 without details in each version", async () => {
    answers.set("books.update", () => {
      throw new Error("select * from secrets");
    });
    const { status, text } = await gateway.http("PATCH", `/api/v2/books/${book.id}`, {
      token: admin.token,
      body: { blurb: "x" },
    });
    expect(status).toBe(500);
    expect(text).not.toContain("secrets");
  });

  test("Location, Link and links lead to the same version", async () => {
    const made = await gateway.http("POST", "/api/v2/books", {
      token: admin.token,
      body: { isbn: "978-1", title: "B", blurb: "" },
    });
    expect(made.headers.get("location")).toBe(`/api/v2/books/${book.id}`);
    expect(made.json.links).toEqual({ self: `/api/v2/books/${book.id}` });
    answers.set("books.list", () => ({ rows: [book], total: 3, pageSize: 1, nextCursor: "def" }));
    const path = "/api/v2/books?pageSize=1&cursor=abc&search=a%26b";
    // However it is spelled, the answer is the same, byte for byte: its tag says so.
    const { json, headers, text } = await get("/api/v2/books?utm_source=x&search=a%26b&cursor=abc&pageSize=1");
    expect((await get(path)).text).toBe(text);
    const upper = await get(`/api/v2/books/${book.id.toUpperCase()}`);
    expect(upper.text).toBe((await get(`/api/v2/books/${book.id}`)).text);
    const links = {
      next: "/api/v2/books?pageSize=1&search=a%26b&cursor=def",
      first: "/api/v2/books?pageSize=1&search=a%26b",
    };
    expect(json).toEqual({ data: [renewed], links: { self: path, ...links }, meta: { total: 3, pageSize: 1 } });
    expect(headers.get("link")).toBe(`<${links.next}>; rel="next", <${links.first}>; rel="first"`);
  });

  test("a tag of either version is of the same state, in another form", async () => {
    const [v1, v2] = await Promise.all(["v1", "v2"].map(version => get(`/api/${version}/books/${book.id}`)));
    const tag = v2!.headers.get("etag")!;
    expect(tag).toMatch(new RegExp(`^${v1!.headers.get("etag")!.slice(0, -1)}\\.`));
    expect((await get(`/api/v2/books/${book.id}`, { "if-none-match": tag })).status).toBe(304);
    const headers = { "if-match": tag };
    await gateway.http("PATCH", `/api/v2/books/${book.id}`, { token: admin.token, body: { blurb: "x" }, headers });
    expect(paramsReached().at(-1)).toMatchObject({ if: { match: [tag] } });
    const removed = await gateway.http("DELETE", `/api/v2/books/${book.id}`, { token: admin.token, headers });
    expect([removed.status, removed.text]).toEqual([204, ""]);
  });

  test("P3 one key is one command, in whichever version it is repeated", async () => {
    const headers = { "idempotency-key": "across-versions" };
    const first = await gateway.http("POST", "/api/v1/loans", { token: ann.token, body: loanBody, headers });
    const { lines, ...others } = loanBody;
    const body = { ...others, items: lines.map(({ bookId, days }) => ({ book: bookId, days })) };
    const again = await gateway.http("POST", "/api/v2/loans", { token: ann.token, body, headers });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    const id = idFrom(ann.id, "across-versions");
    expect(first.json.id).toBe(id);
    expect(again.json).toEqual({
      data: { id, state: "opened", items: [] },
      links: { self: `/api/v2/loans/${id}` },
      meta: { version: 1 },
    });
    expect(paramsReached()[0]).toEqual(paramsReached()[1]);
    const other = { ...body, items: [{ ...body.items[0], days: 1 }] };
    const { status, json } = await gateway.http("POST", "/api/v2/loans", { token: ann.token, body: other, headers });
    expect([status, json.type]).toEqual([422, "/problems/idempotency-key-reused"]);
  });

  test("an event stream has the names of its version", async () => {
    const id = newId();
    const events = [{ type: "loan.returned", version: 1, at: "2026-01-01T00:00:00.000Z", data: {} }];
    gateway.histories.set(id, { owner: ann.id, events });
    const read = (version: string) =>
      new Promise<string>((resolve, reject) => {
        const headers = { authorization: `Bearer ${ann.token}` };
        httpGet(`${gateway.url}/api/${version}/loans/${id}/stream`, { agent: false, headers }, response => {
          expect(response.headers["deprecation"] === undefined).toBe(version === "v2");
          let text = "";
          response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
          response.on("end", () => resolve(text));
        }).on("error", reject);
      });
    expect(await read("v1")).toContain(`data: {"id":"${id}","status":"returned"`);
    expect(await read("v2")).toContain(`data: {"id":"${id}","state":"returned"`);
    await until("the streams are closed", () => gateway.service.streams.size === 0);
  });

  test("a version that is not there is a 404", async () => {
    for (const path of ["/api/v0/books", "/api/v3/books", "/api/books", "/api/v2/shelf", "/api/v2/auth/login"])
      expect([path, (await get(path)).status]).toEqual([path, 404]);
  });
});

describe("an older version", () => {
  const announced = { deprecation: "@1796083200", sunset: "Wed, 01 Dec 2027 00:00:00 GMT" };
  const announcement = (headers: Headers) => ({
    deprecation: headers.get("deprecation"),
    sunset: headers.get("sunset"),
  });

  test("says on every answer since when it is deprecated, when it ends, and where the successor is", async () => {
    const path = `/books/${book.id}`;
    const asked = [
      await get(`/api/v1${path}`),
      await get(`/api/v1${path}`, { "if-none-match": "*" }),
      await get(`/api/v1${path}?fields=colour`),
      await gateway.http("PATCH", `/api/v1${path}`, { token: ann.token, body: { title: "x" } }),
      await gateway.http("PATCH", `/api/v1${path}`, { body: { title: "x" } }),
    ];
    expect(asked.map(({ status }) => status)).toEqual([200, 304, 422, 403, 401]);
    // Refused before the route is reached, or where its response is kept.
    const early = [
      await gateway.http("PATCH", `/api/v1${path}`, {
        token: admin.token,
        body: "x",
        headers: { "content-type": "text/plain" },
      }),
      await gateway.http("PUT", `/api/v1${path}`),
      await get(`/api/v1${path}`, { "if-none-match": "broken" }),
      await get(`/api/v1${path}`, { "if-match": '"other"' }),
    ];
    expect(early.map(({ status }) => status)).toEqual([415, 405, 400, 412]);
    for (const { headers } of [...asked, ...early]) {
      expect(announcement(headers)).toEqual(announced);
      expect(headers.get("link")).toBe(`</api/v2${path}>; rel="successor-version"`);
    }
  });

  test("its pages are linked as well", async () => {
    answers.set("books.list", () => ({ rows: [book], total: 3, pageSize: 1, nextCursor: "def" }));
    const { headers } = await get("/api/v1/books?pageSize=1");
    expect(headers.get("link")).toBe(
      '</api/v2/books>; rel="successor-version", </api/v1/books?pageSize=1&cursor=def>; rel="next"',
    );
  });

  test("a route without a successor, and the newer version, announce nothing", async () => {
    for (const path of ["/api/v1/shelf", "/api/v2/books"]) {
      const { headers } = await get(path);
      expect([path, announcement(headers), headers.get("link")]).toEqual([
        path,
        { deprecation: null, sunset: null },
        null,
      ]);
    }
  });

  test("each route of a version is described, under a name of its own", async () => {
    const { json } = await gateway.http("GET", "/openapi.json", { token: admin.token });
    const { get: one } = json.paths["/api/v2/books/{id}"];
    expect(one.operationId).toBe("getBookV2");
    const { schema } = one.responses[200].content["application/json"];
    const form = schema.$ref ? json.components.schemas[schema.$ref.split("/").at(-1)] : schema;
    expect(Object.keys(form.properties)).toEqual(["data", "links", "meta"]);
    expect(routes.filter(({ version }) => version === "v2")).toHaveLength(9);
  });
});

describe("?fields=", () => {
  const one = `/api/v1/books/${book.id}`;

  test("answers these fields and the id, of a resource or of each row, in every version", async () => {
    expect((await get(`${one}?fields=title`)).json).toEqual({ id: book.id, title: book.title });
    expect((await get("/api/v1/books?fields=isbn&pageSize=20")).json).toEqual({
      rows: [book, second].map(({ id, isbn }) => ({ id, isbn })),
      total: 2,
      page: 1,
      pageSize: 20,
    });
    expect((await get("/api/v2/books?fields=created")).json.data).toEqual(
      [book, second].map(({ id, createdAt: created }) => ({ id, created })),
    );
    expect((await get(`/api/v2/books/${book.id}?fields=blurb`)).json).toMatchObject({
      data: { id: book.id, blurb: "" },
    });
    expect(paramsReached()).toEqual([{ id: book.id }, { pageSize: 20 }, {}, { id: book.id }]);
  });

  test("P6 an unknown one is refused before the action is called, by the names of the version", async () => {
    for (const path of [`${one}?fields=colour`, "/api/v1/books?fields=title,blurb", "/api/v2/books?fields=about"]) {
      const { status, json } = await get(path);
      expect([path, status, json.errors[0].field]).toEqual([path, 422, "fields"]);
      expect(json.errors[0].message).toMatch(/^(colour|blurb|about) is no field of the answer$/);
    }
    for (const query of ["fields=", "fields=a&fields=b", `fields=${"a.".repeat(600)}`])
      expect([query, (await get(`${one}?${query}`)).status]).toEqual([query, 422]);
    expect(paramsReached()).toEqual([]);
  });

  test("a part has a tag of its own, which names the state too", async () => {
    const whole = (await get(one)).headers.get("etag")!;
    const part = (await get(`${one}?fields=title,isbn`)).headers.get("etag")!;
    expect(part).not.toBe(whole);
    expect((await get(`${one}?fields=isbn,title`)).headers.get("etag")).toBe(part);
    expect((await get(`${one}?fields=isbn`)).headers.get("etag")).not.toBe(part);
    const statusOf = async (path: string, tag: string) => (await get(path, { "if-none-match": tag })).status;
    expect(await statusOf(`${one}?fields=title,isbn`, part)).toBe(304);
    expect(await statusOf(`${one}?fields=title,isbn`, whole)).toBe(200);
    expect(await statusOf(one, part)).toBe(200);
    expect(part.startsWith(`${whole.slice(0, -1)}.`)).toBe(true);
    // The service that owns the book takes the tag of any form for its state.
    for (const match of [whole, part]) {
      await gateway.http("PATCH", one, { token: admin.token, body: { title: "x" }, headers: { "if-match": match } });
      const { if: conditions } = paramsReached().at(-1) as { if: Conditions };
      expect(() => assertConditions(conditions, { tag: whole })).not.toThrow();
    }
  });

  test("is kept in the links between pages", async () => {
    answers.set("books.list", () => ({ rows: [book], total: 3, pageSize: 1, nextCursor: "def" }));
    const { headers } = await get("/api/v2/books?fields=title&pageSize=1");
    expect(headers.get("link")).toBe('</api/v2/books?pageSize=1&fields=title&cursor=def>; rel="next"');
  });

  test("is no field of a change", async () => {
    const { status } = await gateway.http("PATCH", `${one}?fields=title`, { token: admin.token, body: { title: "x" } });
    expect(status).toBe(422);
  });
});

describe("Accept", () => {
  const csv = { accept: "text/csv" };

  test("a list comes as CSV, with the columns of its rows, and with the link to the next page", async () => {
    answers.set("books.list", () => ({ rows: [book, second], total: 3, pageSize: 2, nextCursor: "def" }));
    const { status, headers, text } = await get("/api/v2/books?pageSize=2", csv);
    expect([status, headers.get("content-type"), headers.get("content-disposition")]).toEqual([
      200,
      "text/csv; charset=utf-8; header=present",
      'attachment; filename="books.csv"',
    ]);
    expect(text).toBe(
      [
        "id,isbn,title,blurb,cover,created,updated",
        `${book.id},978-0,A Book,,,${createdAt},${updatedAt}`,
        `${second.id},978-0,'=B,"x,y",,${createdAt},${updatedAt}`,
        "",
      ].join("\r\n"),
    );
    expect(headers.get("link")).toBe('</api/v2/books?pageSize=2&cursor=def>; rel="next"');
    expect(Number(headers.get("content-length"))).toBe(Buffer.byteLength(text));
  });

  test("with fields it has their columns, in each version", async () => {
    expect((await get("/api/v1/books?fields=title", csv)).text).toBe(
      `id,title\r\n${book.id},A Book\r\n${second.id},'=B\r\n`,
    );
    expect((await get("/api/v2/books?fields=blurb", csv)).text).toMatch(/^id,blurb\r\n/);
  });

  test("says that the answer depends on it, where it does", async () => {
    for (const path of ["/api/v1/books", "/api/v2/books"])
      expect((await get(path, csv)).headers.get("vary")).toContain("Accept,");
  });

  test("anything goes without it; nothing that we have is a 406, before the action is called", async () => {
    for (const accept of ["*/*", "application/*", "text/html, */*;q=0.1", "application/json; charset=utf-8"]) {
      const { status, headers } = await get("/api/v1/books", { accept });
      expect([accept, status, headers.get("content-type")]).toEqual([accept, 200, "application/json; charset=utf-8"]);
    }
    gateway.reached.length = 0;
    for (const [path, accept] of [
      ["/api/v1/books", "text/html"],
      ["/api/v1/books", "application/json;q=0"],
      [`/api/v1/books/${book.id}`, "text/csv"],
    ] as const) {
      const { status, json, headers } = await get(path, { accept });
      expect([path, status, json.type]).toEqual([path, 406, "/problems/not-acceptable"]);
      expect(headers.get("content-type")).toBe("application/problem+json");
    }
    expect(paramsReached()).toEqual([]);
  });

  test("a refusal is a problem in JSON for those that want CSV", async () => {
    const { status, headers } = await get("/api/v1/books?pageSize=0", csv);
    expect([status, headers.get("content-type")]).toEqual([422, "application/problem+json"]);
  });

  test("a change is made, and answered in JSON, whatever it says", async () => {
    const { status, json } = await gateway.http("POST", "/api/v2/loans", {
      token: ann.token,
      body: { fromShelf: true, desk: { name: "A" } },
      headers: { accept: "text/html" },
    });
    expect([status, json.data.state]).toEqual([201, "opened"]);
  });
});

describe("all pages as lines", () => {
  const path = "/api/v1/staff/loans";
  /** Pages of lines that are 64 kB long, so that a client that does not read fills its socket. */
  const pageOf = (number: number, pages: number) => ({
    lines: [`{"page":${number}}`, JSON.stringify("x".repeat(64 * 1_024))],
    ...(number + 1 < pages && { nextCursor: `${number + 1}` }),
  });
  const answerPages = (pages: number, failsAt = Infinity): void =>
    void answers.set("loans.dump", ({ params: { cursor = "0" } }) => {
      if (Number(cursor) === failsAt) throw new Refusal("GONE", { status: 410 });
      return pageOf(Number(cursor), pages);
    });
  const open = async (): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${admin.token}` };
      httpGet(`${gateway.url}${path}`, { agent: false, headers }, resolve).on("error", reject);
    });

  test("NDJSON is every page, JSON is one; both ask the action's caller for the role", async () => {
    answerPages(3);
    const { status, headers, text } = await get(path);
    expect([status, headers.get("content-type")]).toEqual([200, "application/x-ndjson"]);
    expect(headers.get("content-disposition")).toBe('attachment; filename="loans.ndjson"');
    expect(text.split("\n").filter(line => line.startsWith("{"))).toEqual(['{"page":0}', '{"page":1}', '{"page":2}']);
    expect(text.endsWith("\n")).toBe(true);
    expect(paramsReached()).toEqual([{}, { cursor: "1" }, { cursor: "2" }]);
    const one = await get(`${path}?cursor=1`, { accept: "application/json" });
    expect(one.json).toEqual(pageOf(1, 3));
    expect((await gateway.http("GET", path, { token: ann.token })).status).toBe(403);
    gateway.reached.length = 0;
    expect((await gateway.http("HEAD", path, { token: admin.token })).text).toBe("");
    expect(paramsReached()).toEqual([{}]);
  });

  test("pages are read as fast as the client takes them, and no more once it has left", async () => {
    answerPages(10_000);
    const response = await open();
    const reads = (): number => paramsReached().length;
    let seen = -1;
    await until("the socket is full", () => seen === (seen = reads()) && seen > 1);
    expect(seen).toBeLessThan(500);
    expect(gateway.service.downloads.size).toBe(1);
    response.destroy();
    await until(
      "the gateway knows that the client has left",
      () => gateway.service.downloads.size === 0 && gateway.running.requests === 0,
    );
    expect(reads()).toBeLessThanOrEqual(seen + 1);
  });

  test("a page that cannot be read cuts the connection: a part is not taken for the whole", async () => {
    answerPages(3, 2);
    await expect(get(path)).rejects.toThrow("terminated");
    answerPages(3, 0);
    expect((await get(path)).status).toBe(410);
  });

  test("one download too many is refused", async () => {
    answerPages(10_000);
    const responses = await Promise.all(Array.from({ length: limits.downloadsMax }, open));
    expect((await get(path)).status).toBe(503);
    for (const response of responses) response.destroy();
    await until("their places are free", () => gateway.service.downloads.size === 0);
    answerPages(1);
    expect((await get(path)).status).toBe(200);
  });
});
