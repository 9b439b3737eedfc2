// The client's `Request-Timeout` is the time of every call behind it.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { book, startLibrary, type Library } from "../library.fixture.ts";

let gateway: Library;
const timeouts: (number | undefined)[] = [];
const begun: string[] = [];

beforeAll(async () => {
  gateway = await startLibrary(
    {
      "books.get": ctx => {
        timeouts.push(ctx.options.timeout);
        return ctx.call("books.copies", { isbn: "978-0" });
      },
      "books.copies": ctx => {
        timeouts.push(ctx.options.timeout);
        return { isbn: "978-0", copies: 3 };
      },
      "books.list": async ctx => {
        await sleep(150);
        begun.push("list");
        await ctx.call("books.copies", { isbn: "978-0" });
        begun.push("never");
      },
      "shelves.put": () => sleep(400),
      "shelves.get": () => sleep(400),
    },
    [],
    { REQUEST_TIMEOUT_MS: "2000" },
  );
});
afterAll(() => gateway.stop());

const ask = (path: string, seconds?: string) =>
  gateway.http("GET", `/api/v1${path}`, seconds === undefined ? {} : { headers: { "request-timeout": seconds } });

test("each call behind a request gets the time that is left, and the gateway's own limit without the header", async () => {
  await ask(`/books/${book.id}`, "0.5");
  const [first, second] = timeouts.splice(0) as [number, number];
  expect(first).toBeLessThanOrEqual(500);
  expect(first).toBeGreaterThan(100);
  expect(second).toBeLessThan(first);
  await ask(`/books/${book.id}`);
  expect(timeouts.splice(0)[0]).toBe(2_000);
});

test("more than the gateway's own limit is cut to it", async () => {
  await ask(`/books/${book.id}`, "999999");
  const [first] = timeouts.splice(0);
  expect(first).toBeLessThanOrEqual(2_000);
});

test("a call that is not answered in time is a 504, at that time", async () => {
  const token = await gateway.token(newId());
  const startedAt = performance.now();
  const answer = await gateway.http("GET", "/api/v1/shelf", { token, headers: { "request-timeout": "0.1" } });
  expect(answer).toMatchObject({ status: 504, json: { type: "/problems/request-timeout" } });
  expect(performance.now() - startedAt).toBeLessThan(390);
});

test("what has not begun when the time is over is not begun", async () => {
  begun.length = 0;
  expect((await ask("/books", "0.1")).status).toBe(504);
  await sleep(150);
  expect(begun).toEqual(["list"]);
  expect(timeouts.splice(0)).toEqual([]);
});

test("a body that comes after the time is over makes no call: 503, nothing was done", async () => {
  const token = await gateway.token(newId());
  const before = gateway.reached.length;
  const slow = new ReadableStream({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode('{"days":'));
      await sleep(200);
      controller.enqueue(new TextEncoder().encode("3}"));
      controller.close();
    },
  });
  const response = await fetch(`${gateway.url}/api/v1/shelf/items/${book.id}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", "request-timeout": "0.1" },
    body: slow,
    duplex: "half",
  });
  expect([response.status, ((await response.json()) as { type: string }).type]).toEqual([
    503,
    "/problems/request-skipped",
  ]);
  expect(gateway.reached).toHaveLength(before);
});

test.each(["", "0", "0.0", "-1", "1e3", "abc", "1,5", "1 s", "9999999", "0.0001", "5, 5", "٣"])(
  "`Request-Timeout: %s` is refused by name, before the action",
  async seconds => {
    const before = gateway.reached.length;
    const header = Buffer.from(seconds).toString("latin1");
    const { status, json } = await ask("/copies/978-0", header);
    expect(status).toBe(400);
    expect(json).toMatchObject({ type: "/problems/bad-request-timeout", errors: [{ field: "Request-Timeout" }] });
    expect(gateway.reached).toHaveLength(before);
  },
);

test("an event stream lives on past it", async () => {
  const [user, loan] = [newId(), newId()];
  const events = [{ type: "loan.opened", version: 1, at: "2026-01-01T00:00:00.000Z", data: {} }];
  gateway.histories.set(loan, { owner: user, events });
  const response = await fetch(`${gateway.url}/api/v1/loans/${loan}/stream`, {
    headers: { authorization: `Bearer ${await gateway.token(user)}`, "request-timeout": "0.1" },
  });
  await sleep(300);
  events.push({ type: "loan.returned", version: 2, at: "2026-01-01T00:00:00.000Z", data: {} });
  const text = await response.text();
  expect(text).toContain("event: returned");
});
