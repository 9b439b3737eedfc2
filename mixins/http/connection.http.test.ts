// What ends a connection: bytes that are no request, and silence. Neither may take the answer of a request that was read
// whole: its client would believe that nothing was done, and repeat it.
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { until } from "../testing/index.ts";
import { raw } from "../gateway/gateway.fixture.ts";
import { httpLimits as limits } from "./limits.ts";
import { HttpServer } from "./server.ts";
import { together } from "./together.ts";

const HOST = "Host: a\r\n";
const GET = `GET /now HTTP/1.1\r\n${HOST}\r\n`;
const LAST = GET.replace(HOST, `${HOST}Connection: close\r\n`);
const CHANGE = `POST /soon HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\n{}`;

let server: HttpServer;
let port: number;
let begun: string[] = [];
/** `/now` at once, `/soon` in a moment, `/late` after more than a header may take and a connection may be idle. */
const answer = (req: IncomingMessage, res: ServerResponse): void => {
  begun.push(`${req.method} ${req.url}`);
  if (req.url === "/now") {
    res.writeHead(200, { "Content-Length": 4 });
    together(() => res.end("done"));
  } else req.on("end", () => setTimeout(() => res.end("done"), req.url === "/late" ? 1_000 : 100)).resume();
};
beforeAll(async () => {
  // Node checks at these intervals from the start of the server on.
  const shorter = { socketIdleMs: 300, connectionsCheckMs: 50, unreadBodyMs: 200 };
  for (const [name, ms] of Object.entries(shorter)) jest.replaceProperty(limits, name as "socketIdleMs", ms as never);
  server = new HttpServer(answer, { headersTimeoutMs: 200 });
  port = await server.listen(0);
});
afterAll(async () => {
  await server.drain(1_000, () => {});
  jest.restoreAllMocks();
});

const statusesOf = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
const asked = async (text: string) => {
  begun = [];
  return statusesOf(await raw(port, text, 8_000));
};

test.each([
  ["a change, then bytes that are no HTTP", `${CHANGE}x\r\n\r\n`, [200]],
  [
    "a change that closes, then another request",
    `${CHANGE.replace(HOST, `${HOST}Connection: close\r\n`)}${GET}`,
    [200],
  ],
  ["a request that closes and is answered at once, then another", LAST + GET, [200]],
  ["two requests, then bytes that are no HTTP", `${CHANGE}${GET}x\r\n\r\n`, [200, 200]],
  ["an answer at once, then bytes that are no HTTP", `${GET}x\r\n\r\n`, [200, 400]],
  [
    "a change, then a request whose own body is broken",
    `${CHANGE}POST /soon HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nx\r\n`,
    [200],
  ],
  ["a change, then CONNECT", `${CHANGE}CONNECT a:80 HTTP/1.1\r\n${HOST}\r\n`, [200]],
])("%s: what was read whole is answered", async (_what, text, statuses) => {
  expect(await asked(text)).toEqual(statuses);
});

test("a request whose own body is broken is refused at once, and nothing after it is begun", async () => {
  const text = `POST /soon HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nx\r\n${GET}`;
  expect([await asked(text), begun]).toEqual([[400], ["POST /soon"]]);
});

test("bytes that are no HTTP keep a connection open no longer than their refusal needs", async () => {
  let isClosed = false;
  const socket = connect({ port, allowHalfOpen: true });
  socket.on("error", () => {}).on("close", () => (isClosed = true));
  const timer = setInterval(() => socket.write("x\r\n"), 20);
  await until("the end", () => isClosed);
  clearInterval(timer);
});

test("CONNECT whose client resets the connection harms nobody", async () => {
  const socket = connect(port, "127.0.0.1");
  socket.write(`CONNECT a:80 HTTP/1.1\r\n${HOST}\r\n`);
  await once(socket, "data");
  socket.resetAndDestroy();
  expect(await asked(LAST)).toEqual([200]);
});

test("a header that does not end gets no 408 that would pass for the answer to the request before it", async () => {
  expect(await asked(`GET /late HTTP/1.1\r\n${HOST}\r\nGET /no`)).toEqual([200]);
});

/** Sends the text, ends its side after so many milliseconds, and reads to the end. */
async function halfClosed(text: string, afterMs = 0): Promise<number[]> {
  const socket = connect({ port, allowHalfOpen: true });
  let read = "";
  socket.on("data", data => (read += String(data)));
  socket.write(text);
  if (afterMs > 0) await sleep(afterMs);
  socket.end();
  await once(socket, "close");
  return statusesOf(read);
}

test("a client that ends its side behind a change gets its answer, and those to what it sent after it", async () => {
  expect(await halfClosed(CHANGE)).toEqual([200]);
  expect(await halfClosed(CHANGE + GET)).toEqual([200, 200]);
});

test("a client that ends its side while it waits has left: its connection ends", async () => {
  expect(await halfClosed(CHANGE.replace("soon", "late"), limits.halfCloseMs + 100)).toEqual([]);
  expect(await halfClosed(GET.replace("now", "late"))).toEqual([]);
});

test("half a request, then the end of the client's side, holds no connection", async () => {
  expect(await halfClosed(CHANGE.slice(0, -1))).toEqual([400]);
  expect(await halfClosed("GET /no")).toEqual([400]);
  expect(await halfClosed("")).toEqual([]);
});

test("a call may take longer than a connection may be idle", async () => {
  expect(await asked(LAST.replace("now", "late"))).toEqual([200]);
});
