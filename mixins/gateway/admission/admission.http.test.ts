// Every place is given back, whatever clients do with their connections.
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { book, startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";
import type { Admission } from "./admission.ts";

let gateway: Library;
let inside: { admission: Admission };
/** While this is set, calls wait for it. */
let held: Promise<void> | undefined;
const hold = (): (() => void) => {
  let release = () => {};
  held = new Promise(resolve => (release = resolve));
  return () => {
    held = undefined;
    release();
  };
};
const user = newId();
const loan = newId();
let authorization: string;

beforeAll(async () => {
  const booksGet = async () => {
    await held;
    return book;
  };
  // Here one address sends more than the rate limits allow it.
  gateway = await startLibrary({ "books.get": booksGet }, [], { RATE_LIMIT_PERCENT: "0" });
  inside = gateway.service;
  authorization = `Authorization: Bearer ${await gateway.token(user)}\r\n`;
  gateway.histories.set(loan, {
    owner: user,
    events: [{ type: "loan.opened", version: 1, at: "2026-01-01T00:00:00.000Z", data: {} }],
    afterRead: async () => held,
  });
});
const sockets: Socket[] = [];
afterEach(() => {
  held = undefined;
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => gateway.stop());

async function send(text: string): Promise<Socket & { text: string }> {
  const socket = connect(gateway.port, "127.0.0.1") as Socket & { text: string };
  sockets.push(socket);
  socket.text = "";
  socket.on("error", () => {}).on("data", chunk => (socket.text += chunk.toString("latin1")));
  await new Promise<void>(resolve => socket.write(text, () => resolve()));
  return socket;
}
const get = (path: string, headers = "") => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
const STALLED =
  "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n";
const BOOK = `/api/v1/books/${book.id}`;
const reached = (action: string) => gateway.reached.filter(call => call.action === action).length;

const nothingIsHeld = async () => {
  const left = () => [inside.admission.taken, inside.admission.waiting, gateway.running.requests];
  await until("every place is given back", () => left().every(n => n === 0), 5_000).catch(() => {});
  expect(left()).toEqual([0, 0, 0]);
  expect(await statusWithin(2_000)).toBe(200);
};
/** Status of a plain request; undefined when there is none in time. */
const statusWithin = (ms: number): Promise<number | undefined> =>
  fetch(gateway.url + BOOK, { signal: AbortSignal.timeout(ms) }).then(
    ({ status }) => status,
    () => undefined,
  );

test("a client that pipelines a packet full of requests and hangs up leaves nothing behind", async () => {
  const release = hold();
  const before = reached("books.get");
  const socket = await send(get(BOOK).repeat(1_390));
  await until("the first", () => reached("books.get") > before);
  socket.destroy();
  await new Promise(resolve => setTimeout(resolve, 30));
  release();
  await nothingIsHeld();
  expect(reached("books.get")).toBe(before + 2);
});

test("actions get the address of the connection, not the one that the client claims", async () => {
  await gateway.http("GET", BOOK, { headers: { "x-forwarded-for": "192.0.2.1" } });
  expect(gateway.reached.at(-1)).toMatchObject({ action: "books.get", address: "127.0.0.1" });
});

test("pipelined requests are begun one after the other and answered in their order", async () => {
  const release = hold();
  const before = reached("books.get");
  const socket = await send(get(BOOK) + get("/health/live") + get(BOOK) + get("/nowhere", "Connection: close\r\n"));
  await until("the first", () => reached("books.get") === before + 1);
  await new Promise(resolve => setTimeout(resolve, 50));
  expect([reached("books.get"), socket.text]).toEqual([before + 1, ""]);
  release();
  await until("the end", () => socket.closed);
  expect([...socket.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
    "200",
    "200",
    "200",
    "404",
  ]);
});

test("behind an answer that closes the connection no request is begun, and at most the limit of requests waits", async () => {
  const before = reached("books.get");
  const closing = await send(get("/nowhere", "Connection: close\r\n") + get(BOOK));
  await until("the end", () => closing.closed);
  expect(reached("books.get")).toBe(before);

  const release = hold();
  const many = await send(get(BOOK).repeat(limits.pipelinedMax + 20));
  await until("the first", () => reached("books.get") === before + 1);
  release();
  await until("the end", () => many.closed);
  expect([...many.text.matchAll(/HTTP\/1\.1 200/g)]).toHaveLength(limits.pipelinedMax + 1);
  await nothingIsHeld();
});

test("stalled bodies, more than there are places, take none", async () => {
  const many = limits.requestsMax + 50;
  await Promise.all(Array.from({ length: many }, () => send(STALLED)));
  await until("all are there", () => gateway.running.requests >= many);
  expect(await statusWithin(2_000)).toBe(200);
  for (const socket of sockets.splice(0)) socket.destroy();
  await nothingIsHeld();
});

// Each await of an exchange, with a client that leaves during it.
test.each([
  ["its body is on its way", STALLED, () => true],
  ["its call is under way", get(BOOK), () => reached("books.get") > 0],
  ["its stream reads for the first time", "stream", () => reached("loans.timeline") > 0],
  ["its stream waits", "open stream", () => gateway.service.streams.size === 1],
])("a client that is killed while %s gives everything back", async (_when, request, isThere) => {
  gateway.reached.length = 0;
  const release = request === "open stream" ? () => {} : hold();
  const text = request.endsWith("stream") ? get(`/api/v1/loans/${loan}/stream`, authorization) : request;
  const all = await Promise.all(Array.from({ length: request === "open stream" ? 1 : 5 }, () => send(text)));
  await until("it is there", isThere);
  const taken = request.startsWith("GET") ? 5 : 0;
  await until("the others are there", () => inside.admission.taken === taken);
  expect(inside.admission.taken).toBe(taken);
  await new Promise(resolve => setTimeout(resolve, 20));
  for (const socket of all) socket.resetAndDestroy();
  await new Promise(resolve => setTimeout(resolve, 20));
  release();
  await nothingIsHeld();
  expect(gateway.service.streams.size).toBe(0);
});

test("a client that is killed while the keys are fetched gives everything back", async () => {
  const { callers } = gateway.service;
  const answer = callers.identify.bind(callers);
  const release = hold();
  const identify = jest.spyOn(callers, "identify").mockImplementation(async req => {
    await held;
    return answer(req);
  });
  const all = await Promise.all(Array.from({ length: 5 }, () => send(get("/api/v1/me", authorization))));
  await new Promise(resolve => setTimeout(resolve, 30));
  for (const socket of all) socket.resetAndDestroy();
  await new Promise(resolve => setTimeout(resolve, 20));
  expect(identify).toHaveBeenCalledTimes(5);
  release();
  identify.mockRestore();
  await nothingIsHeld();
});

test("a gateway whose places are all taken says so in metrics and in readiness", async () => {
  const release = hold();
  const clients = Array.from({ length: limits.requestsPerAddressMax + 1 }, () => gateway.http("GET", BOOK));
  await until("its part is taken", () => inside.admission.taken === limits.requestsPerAddressMax);
  const { text } = await gateway.http("GET", "/metrics", { token: await gateway.token(newId(), ["admin"]) });
  expect(text).toContain(`valence_http_requests_active ${limits.requestsPerAddressMax}\n`);
  expect(text).toContain("valence_http_requests_saturated_total 1\n");
  release();
  const answers = await Promise.all(clients);
  const [refused] = answers.filter(({ status }) => status !== 200);
  expect(refused).toMatchObject({ status: 503, json: { type: "/problems/saturated" } });

  const isFull = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(inside.admission), "isFull")!;
  const ready = async () => (await gateway.http("GET", "/health/ready")).json;
  Object.defineProperty(inside.admission, "isFull", { configurable: true, get: () => true });
  expect(await ready()).toEqual({ status: "ready", missing: [], saturated: true });
  Object.defineProperty(inside.admission, "isStuck", { configurable: true, get: () => true });
  expect(await ready()).toEqual({ status: "stuck", missing: [], saturated: true });
  Reflect.deleteProperty(inside.admission, "isFull");
  Reflect.deleteProperty(inside.admission, "isStuck");
  expect(isFull.get!.call(inside.admission)).toBe(false);
  await nothingIsHeld();
});
