// The client against a server that answers as it is told: one function for each request that is to come.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { until } from "@valence/runtime/testing";
import { cookies, createClient, ProblemError, tokens, type Client, type ClientOptions, type Problem } from "./index.ts";

interface Seen {
  readonly line: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
}
type Reply = (res: ServerResponse, seen: Seen) => unknown;

let server: Server;
let url: string;
let seen: Seen[];
let replies: Reply[];

beforeEach(async () => {
  [seen, replies] = [[], []];
  server = createServer((req, res) => {
    let text = "";
    req.on("data", chunk => (text += String(chunk)));
    req.on("end", () => {
      const request = { line: `${req.method} ${req.url}`, headers: req.headers, body: text && JSON.parse(text) };
      seen.push(request);
      void (replies.shift() ?? json({ fallback: true }))(res, request);
    });
  });
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Reply =>
  res =>
    res.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
const problem = (code: string, status: number, retryAfter?: number, members: Problem = {}): Reply =>
  json(
    { type: `/problems/${code.toLowerCase().replaceAll("_", "-")}`, title: "No", requestId: "r1", ...members },
    status,
    {
      "Content-Type": "application/problem+json",
      ...(retryAfter !== undefined && { "Retry-After": `${retryAfter}` }),
    },
  );
const cut: Reply = res => res.destroy();
const silent: Reply = () => {};
const clientOf = (options: ClientOptions = {}): Client => createClient({ url, ...options });
const failure = (call: Promise<unknown>): Promise<ProblemError> =>
  call.then(
    () => expect(1).toBe(0),
    error => error,
  );
const keysSeen = () => new Set(seen.map(({ headers }) => headers["idempotency-key"]));

test("the fields of an input go where the route wants them", async () => {
  const shop = clientOf();
  await shop.cart.put({ productId: "a/b", quantity: 2 });
  await shop.products.list({ q: "red mug", page: undefined });
  await shop.orders.get("o 1");
  await shop.me.endSessions({ others: true });
  expect(seen.map(({ line, body }) => [line, body])).toEqual([
    ["PUT /api/v1/cart/items/a%2Fb", { quantity: 2 }],
    ["GET /api/v1/products?q=red+mug", ""],
    ["GET /api/v1/orders/o%201", ""],
    ["DELETE /api/v1/me/sessions?others=true", ""],
  ]);
});

test("an answer has no body, or status and header fields on demand", async () => {
  replies.push(res => res.writeHead(204).end(), json({ id: "1" }, 200, { ETag: '"3"' }));
  expect(await clientOf().me.endSessions()).toBeUndefined();
  const { body, status, headers } = await clientOf().products.get.answer("1");
  expect([body, status, headers.get("etag")]).toEqual([{ id: "1" }, 200, '"3"']);
});

test("a refusal is thrown at once, with code, fields and members", async () => {
  const errors = [{ field: "quantity", message: "must be at least 1" }];
  replies.push(problem("VALIDATION_ERROR", 422, undefined, { detail: "see errors", errors, extra: 1 }));
  const shop = clientOf();
  const error = await failure(shop.cart.put({ productId: "p", quantity: 0 }));
  expect(error).toBeInstanceOf(ProblemError);
  expect(error).toMatchObject({ code: "VALIDATION_ERROR", status: 422, errors, requestId: "r1", outcome: "none" });
  expect([error.message, error.problem["extra"]]).toEqual(["see errors", 1]);
  expect(shop.cart.put.isProblem(error)).toBe(true);
  expect(shop.cart.put.isProblem(error, "VALIDATION_ERROR", "NO_ANSWER")).toBe(true);
  expect(shop.cart.put.isProblem(error, "NO_ANSWER")).toBe(false);
  expect(shop.cart.put.isProblem(new Error("x"))).toBe(false);
  expect(seen).toHaveLength(1);
});

test("nothing was done: the request is sent again, with the same key", async () => {
  replies.push(
    problem("SATURATED", 503, 0),
    problem("RATE_LIMITED", 429, 0),
    problem("IDEMPOTENCY_KEY_IN_PROGRESS", 409, 0),
  );
  await clientOf().orders.cancel("1");
  expect(seen).toHaveLength(4);
  expect(keysSeen()).toEqual(new Set([expect.stringMatching(/^[0-9a-f]{32}$/)]));
  await clientOf().orders.cancel("1");
  expect(keysSeen().size).toBe(2);
});

test.each<[string, Reply]>([
  ["a cut connection", cut],
  [
    "half an answer",
    res =>
      res.writeHead(200, { "Content-Type": "application/json", "Content-Length": 10 }).end("{", () => res.destroy()),
  ],
  ["a 504", problem("REQUEST_TIMEOUT", 504, 0)],
  ["a proxy's page", res => res.writeHead(502, { "Content-Type": "text/html" }).end("<h1>Bad gateway</h1>")],
])("%s may have taken effect: sent again only where that changes nothing", async (...[, reply]) => {
  replies.push(reply);
  await clientOf().orders.cancel("1", { key: "mine" });
  expect(keysSeen()).toEqual(new Set(["mine"]));
  replies.push(reply);
  await clientOf().products.get("1");
  expect(seen).toHaveLength(4);
  replies.push(reply);
  const error = await failure(clientOf().auth.register({ email: "a@example.org", password: "p", name: "Ada" }));
  expect(error).toMatchObject({ name: "ProblemError", outcome: "unknown" });
  expect(seen).toHaveLength(5);
});

const unavailable = (): Reply[] => Array.from({ length: 3 }, () => problem("SATURATED", 503, 0));

test.each<[string, Reply, Reply[]]>([
  ["no answer, then a server that stops", cut, unavailable()],
  ["a 504, then a session that is over", problem("REQUEST_TIMEOUT", 504, 0), [problem("SESSION_ENDED", 401)]],
  ["another attempt with the key", problem("IDEMPOTENCY_KEY_IN_PROGRESS", 409, 60), []],
  ["a proxy's 503", res => res.writeHead(503).end("upstream reset"), unavailable()],
])("%s: whether it was done stays unknown", async (...[, first, rest]) => {
  replies.push(first, ...rest);
  expect(await failure(clientOf().orders.cancel("1"))).toMatchObject({ outcome: "unknown" });
  expect(replies).toEqual([]);
});

test("a refusal after a lost answer is the server's decision", async () => {
  replies.push(cut, problem("PRICE_CHANGED", 409));
  expect(await failure(clientOf().orders.cancel("1"))).toMatchObject({ code: "PRICE_CHANGED", outcome: "none" });
});

test.each<[unknown, string]>([
  ["", "id"],
  [".", "id"],
  ["..", "id"],
  ["\ud800", "id"],
  [undefined, "id"],
  [{ id: null }, "id"],
  [{ id: {} }, "id"],
])("%j is no id: nothing is sent, since the path would be another one", async (...[input, field]) => {
  const error = await failure(clientOf().me.endSession(input as string));
  expect(error).toMatchObject({ code: "VALIDATION_ERROR", outcome: "none", errors: [{ field }] });
  expect((await failure(clientOf().users.revokeKey({ id: "u", key: ".." }))).errors).toMatchObject([{ field: "key" }]);
  expect(seen).toEqual([]);
});

test.each<[string, Reply, object]>([
  [
    "a page with 200",
    res => res.writeHead(200, { "Content-Type": "text/html" }).end("<h1>"),
    { status: 200, outcome: "unknown" },
  ],
  [
    "a redirect",
    res => res.writeHead(302, { Location: `${url}/elsewhere` }).end(),
    { status: 302, outcome: "unknown" },
  ],
  ["half a problem", problem("X", 404, undefined, { toJSON: () => undefined }), { status: 404, outcome: "none" }],
  [
    "a problem of another kind",
    json({ type: 5 }, 422, { "Content-Type": "application/problem+json" }),
    { status: 422 },
  ],
])("%s is no answer of this API, and neither repeated nor followed", async (...[, reply, says]) => {
  replies.push(reply);
  const expected = { code: "NO_PROBLEM", ...says };
  expect(await failure(clientOf().orders.cancel("1"))).toMatchObject(expected);
  replies.push(reply);
  const followed = versionsOf(clientOf().orders.follow("1"));
  expect(await failure(followed)).toMatchObject(expected);
  expect(seen).toHaveLength(2);
});

test("what HTTP cannot carry is the caller's mistake", async () => {
  expect((await failure(clientOf().orders.cancel("1", { key: "\u2713" }))).name).toBe("TypeError");
  expect(() => clientOf({ url: "shop.example" })).toThrow("Invalid URL");
  expect(seen).toEqual([]);
  await clientOf({ url: `${url}/` }).categories.list();
  await clientOf().orders.cancel("1", { timeoutMs: 2 ** 40 });
  expect(seen.at(-1)!.headers["request-timeout"]).toBe("43200");
  expect(seen.map(({ line }) => line)).toEqual(["GET /api/v1/categories", "POST /api/v1/orders/1/cancel"]);
});

test("a pause that leaves no time for another attempt is not made: the refusal is the answer", async () => {
  replies.push(problem("SATURATED", 503, 1));
  const error = await failure(clientOf().orders.cancel("1", { timeoutMs: 1_000 }));
  expect(error).toMatchObject({ code: "SATURATED", outcome: "none" });
});

test("after some attempts, or where the server wants a long pause, it is the caller's turn", async () => {
  replies.push(...Array.from({ length: 9 }, () => problem("SATURATED", 503, 0)));
  expect(await failure(clientOf().products.get("1"))).toMatchObject({ code: "SATURATED", outcome: "none" });
  expect(seen).toHaveLength(4);
  replies = [problem("TOO_MANY_ATTEMPTS", 429, 60)];
  const error = await failure(clientOf().auth.login({ email: "a@example.org", password: "p" }));
  expect(error).toMatchObject({ code: "TOO_MANY_ATTEMPTS", retryAfterMs: 60_000 });
  expect(seen).toHaveLength(5);
});

test("a signal ends a call at once: before it, in its request, in its pause", async () => {
  const ended = new AbortController();
  ended.abort(new Error("ended"));
  expect(await failure(clientOf().products.get("1", { signal: ended.signal }))).toBe(ended.signal.reason);
  expect(seen).toEqual([]);
  for (const reply of [silent, problem("SATURATED", 503, 9)]) {
    replies.push(reply);
    const leaving = new AbortController();
    const call = failure(clientOf().products.get("1", { signal: leaving.signal }));
    await until("the request", () => replies.length === 0);
    leaving.abort(new Error("left the page"));
    expect((await call).message).toBe("left the page");
  }
});

test("a call without an answer ends in time; where it is safe another attempt is made before", async () => {
  replies.push(silent, silent, silent, silent);
  const code = "TIMED_OUT";
  expect(await failure(clientOf().products.get("1", { timeoutMs: 50 }))).toMatchObject({ code, status: 0 });
  [seen, replies] = [[], [silent]];
  await clientOf().orders.cancel("1", { timeoutMs: 1_000 });
  expect(seen.map(({ headers }) => Number(headers["request-timeout"]) <= 0.5)).toEqual([true, true]);
  expect(keysSeen().size).toBe(1);
});

const login = { accessToken: "a1", refreshToken: "r1" };
/** Answers what the access token `a2` may see, and renews `a1`. */
const renewing =
  (refreshed: Reply): Reply =>
  (res, request) => {
    replies.push(renewing(refreshed));
    if (request.line.endsWith("/auth/refresh")) return refreshed(res, request);
    if (request.headers.authorization === "Bearer a2") return json({ id: "me" })(res, request);
    return problem("INVALID_TOKEN", 401)(res, request);
  };
const refreshes = () => seen.filter(({ line }) => line.endsWith("/auth/refresh"));

test("an expired token is renewed once for all calls, and none notices", async () => {
  const changes: unknown[] = [];
  const session = tokens({ tokens: login, onChange: pair => changes.push(pair) });
  replies.push(renewing(json({ accessToken: "a2", refreshToken: "r2" })));
  const shop = clientOf({ credentials: session });
  const answers = await Promise.all(Array.from({ length: 10 }, () => shop.me.get()));
  expect(answers).toEqual(Array.from({ length: 10 }, () => ({ id: "me" })));
  expect(refreshes()).toMatchObject([{ body: { refreshToken: "r1" } }]);
  expect(refreshes()[0]!.headers.authorization).toBeUndefined();
  expect(changes).toEqual([session.tokens]);
});

test("a call of somebody who has logged out is not sent again as whoever came next", async () => {
  const session = tokens({ tokens: login });
  const shop = clientOf({ credentials: session });
  const late: { answer?: () => void } = {};
  replies.push((res, request) => (late.answer = () => problem("INVALID_TOKEN", 401)(res, request)));
  const call = failure(shop.orders.cancel("1"));
  await until("the request", () => late.answer !== undefined);
  session.set({ accessToken: "b1", refreshToken: "s1" });
  late.answer!();
  expect(await call).toMatchObject({ code: "INVALID_TOKEN" });
  expect(seen).toHaveLength(1);
});

test("a renewal whose answer is lost is repeated while the server takes its token for the same", async () => {
  const session = tokens({ tokens: login });
  let firstAt: number;
  replies.push(
    problem("INVALID_TOKEN", 401),
    () => (firstAt = Date.now()),
    (...call) =>
      // As the server does with a token that was used.
      (Date.now() - firstAt < 10_000
        ? json({ accessToken: "a2", refreshToken: "r2" })
        : problem("BAD_REFRESH_TOKEN", 401))(...call),
  );
  await clientOf({ credentials: session }).me.get();
  expect(session.tokens?.accessToken).toBe("a2");
}, 30_000);

test("a refused renewal ends the session, once, and every call is told", async () => {
  const ends: string[] = [];
  const session = tokens({ tokens: login, onEnd: ({ code }) => ends.push(code) });
  replies.push(renewing(problem("BAD_REFRESH_TOKEN", 401)));
  const shop = clientOf({ credentials: session });
  const errors = await Promise.all(Array.from({ length: 5 }, () => failure(shop.me.get())));
  expect(errors.map(({ code }) => code)).toEqual(Array(5).fill("BAD_REFRESH_TOKEN"));
  expect([ends, session.tokens, refreshes().length]).toEqual([["BAD_REFRESH_TOKEN"], undefined, 1]);
});

test.each(["SESSION_ENDED", "UNAUTHENTICATED"])("a page's session is over with %s", async (...[code]) => {
  const ends: string[] = [];
  replies.push(problem(code, 401), problem("BAD_CREDENTIALS", 401));
  const shop = clientOf({ credentials: cookies({ name: "shop", onEnd: ({ code: why }) => ends.push(why) }) });
  expect(await failure(shop.me.get())).toMatchObject({ code });
  expect(await failure(shop.session.open({ email: "a@example.org", password: "p" }))).toMatchObject({
    code: "BAD_CREDENTIALS",
  });
  expect([ends, seen[0]!.headers["x-session"]]).toEqual([[code], "shop"]);
});

test("a renewal that finds nobody at home leaves the session as it is", async () => {
  const session = tokens({ tokens: login, onEnd: () => expect(1).toBe(0) });
  replies.push(renewing(problem("SATURATED", 503, 60)));
  expect(await failure(clientOf({ credentials: session }).me.get())).toMatchObject({ code: "SATURATED" });
  expect(session.tokens).toEqual(login);
});

test("the rows of all pages come by cursor, or by number, each page when its first row is wanted", async () => {
  replies.push(
    json({ rows: [1, 2], page: 1, pageSize: 2, total: 3, nextCursor: "c2" }),
    json({ rows: [3], pageSize: 2 }),
  );
  const rows: unknown[] = [];
  for await (const row of clientOf().orders.all({ pageSize: 2 })) rows.push(row, seen.length);
  expect(rows).toEqual([1, 1, 2, 1, 3, 2]);
  replies.push(
    json({ rows: [1, 2], page: 1, pageSize: 2, total: 3 }),
    json({ rows: [3], page: 2, pageSize: 2, total: 3 }),
  );
  for await (const row of clientOf().products.all({ q: "mug", pageSize: 2 })) rows.push(row);
  expect(rows.slice(6)).toEqual([1, 2, 3]);
  expect(seen.map(({ line }) => line.split("?")[1])).toEqual([
    "pageSize=2",
    "pageSize=2&cursor=c2",
    "q=mug&pageSize=2",
    "q=mug&pageSize=2&page=2",
  ]);
});

const events = (...versions: number[]): string =>
  versions.map(version => `id: ${version}\nevent: moved\ndata: {"version":${version}}\n\n`).join("");
const stream =
  (text: string, after: (res: ServerResponse) => void): Reply =>
  res => {
    res.writeHead(200, { "Content-Type": "text/event-stream" });
    res.write(`retry: 20\n\n:\n\n${text}`, () => setImmediate(after, res));
  };
const versionsOf = async (followed: AsyncIterable<{ version: number }>): Promise<number[]> => {
  const versions: number[] = [];
  for await (const { version } of followed) versions.push(version);
  return versions;
};

test("a follower sees each event once, through cuts and half events, until the server has no more", async () => {
  replies.push(
    stream(`${events(1, 2)}id: 3\nda`, res => res.destroy()),
    cut,
    stream(events(3), res => res.end("retry: 10\n\n")),
    stream(events(4), res => res.end()),
    res => res.writeHead(204).end(),
  );
  expect(await versionsOf(clientOf().orders.follow("1"))).toEqual([1, 2, 3, 4]);
  expect(seen.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, "2", "2", "3", "4"]);
  expect(seen[0]!.headers.accept).toBe("text/event-stream");
});

test("a follower goes on from where its caller was, renews its token, and throws a refusal", async () => {
  const session = tokens({ tokens: login });
  replies.push(
    problem("INVALID_TOKEN", 401),
    json({ accessToken: "a2", refreshToken: "r2" }),
    stream(events(8), res => res.destroy()),
    problem("ORDER_NOT_FOUND", 404),
  );
  const shop = clientOf({ credentials: session });
  const found: number[] = [];
  const error = await failure(
    (async () => {
      for await (const { version } of shop.orders.follow("1", { after: 7 })) found.push(version);
    })(),
  );
  expect([found, error.code]).toEqual([[8], "ORDER_NOT_FOUND"]);
  expect(seen.map(({ headers }) => headers["last-event-id"])).toEqual(["7", undefined, "7", "8"]);
});

test("a follower that is not wanted any more lets its connection go", async () => {
  let closed = 0;
  const open: Reply = stream(events(1), res => res.once("close", () => closed++));
  replies.push(open, open);
  for await (const _ of clientOf().orders.follow("1")) break;
  const ended = new AbortController();
  const error = await failure(
    (async () => {
      for await (const _ of clientOf().orders.follow("1", { signal: ended.signal })) ended.abort(new Error("left"));
    })(),
  );
  expect(error.message).toBe("left");
  await until("both connections to close", () => closed === 2);
});
