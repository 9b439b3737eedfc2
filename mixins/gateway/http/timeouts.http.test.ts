// The life of connections, as balancers use them: opened before they are needed, idle for long, closed without a word. A
// client that begins a request and does not end it gets a 408.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { startLibrary, type Library } from "../library.fixture.ts";

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));
/** Longer than a header may take, and than two looks of Node at its connections. */
const KEEP_ALIVE_MS = 4_500;
const HEADERS_TIMEOUT_MS = 300;
const BODY_TIMEOUT_MS = 1_000;
/** Node looks each 2 s; twice that for a busy machine. */
const LATE_MS = 5_000;

let gateway: Library;
let token: string;
beforeAll(async () => {
  gateway = await startLibrary({}, [], {
    KEEP_ALIVE_MS: `${KEEP_ALIVE_MS}`,
    HEADERS_TIMEOUT_MS: `${HEADERS_TIMEOUT_MS}`,
    REQUEST_BODY_TIMEOUT_MS: `${BODY_TIMEOUT_MS}`,
  });
  token = await gateway.token(newId());
});
afterAll(() => gateway.stop());

/** A connection, every byte that it got, and the milliseconds after which it was closed. */
async function open() {
  const socket = connect(gateway.port, "127.0.0.1");
  await once(socket, "connect");
  const since = performance.now();
  const got = { text: "", closedMs: undefined as number | undefined };
  socket.on("data", chunk => (got.text += chunk.toString("latin1")));
  socket.on("error", () => {});
  socket.on("close", () => (got.closedMs = performance.now() - since));
  return { socket, got };
}
const ask = (socket: Socket, path = "/health/live") => socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);

// Each test waits on a connection of its own, most of its time: all wait together.
test.concurrent.each([
  ["before its first request", false],
  ["after a request", true],
])(
  "a connection that is idle %s serves after longer than a header may take, and closes without a word at its end",
  async (_when, isUsed) => {
    const { socket, got } = await open();
    if (isUsed) {
      ask(socket);
      await until("the answer", () => got.text.includes("live"));
      got.text = "";
    }
    // Past the time-out of headers, and at least one look of Node at its connections.
    await sleep(HEADERS_TIMEOUT_MS + 3_000);
    expect([got.text, got.closedMs]).toEqual(["", undefined]);
    ask(socket);
    await until("the answer", () => got.text.includes('"live"'));
    expect(got.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    got.text = "";
    await until("the end", () => got.closedMs !== undefined, KEEP_ALIVE_MS + 2 * LATE_MS);
    expect(got.text).toBe("");
  },
  40_000,
);

test.concurrent(
  "a connection without a byte closes at its end, and not before",
  async () => {
    const { got } = await open();
    await until("the end", () => got.closedMs !== undefined, KEEP_ALIVE_MS + LATE_MS);
    expect(got.text).toBe("");
    expect(got.closedMs).toBeGreaterThan(KEEP_ALIVE_MS - 100);
  },
  20_000,
);

test.concurrent.each([
  ["its first line, on a new connection", "GET /hea"],
  ["its header", "GET /health/live HTTP/1.1\r\nHost: a\r\nX-Slow: "],
])(
  "a request that stops within %s gets a 408",
  async (_where, text) => {
    const { socket, got } = await open();
    socket.write(text);
    await until("the end", () => got.closedMs !== undefined, HEADERS_TIMEOUT_MS + LATE_MS);
    expect(got.text).toMatch(/^HTTP\/1\.1 408 [^]*request-too-slow/);
  },
  20_000,
);

test.concurrent(
  "a request that stops within its header, after a silence longer than a header may take, gets a 408",
  async () => {
    const { socket, got } = await open();
    await sleep(HEADERS_TIMEOUT_MS + 3_000);
    socket.write("GET /health/live HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    await until("the end", () => got.closedMs !== undefined, HEADERS_TIMEOUT_MS + LATE_MS);
    expect(got.text).toMatch(/^HTTP\/1\.1 408 /);
  },
  20_000,
);

test.concurrent(
  "a request that stops within its body gets one answer and the end of the connection, and no action runs",
  async () => {
    const { socket, got } = await open();
    socket.write(
      `POST /api/v1/loans HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n` +
        `Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"desk":`,
    );
    await until("the end", () => got.closedMs !== undefined, HEADERS_TIMEOUT_MS + BODY_TIMEOUT_MS + LATE_MS);
    expect(got.text).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(got.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(got.closedMs).toBeGreaterThan(HEADERS_TIMEOUT_MS + BODY_TIMEOUT_MS - 100);
    expect(gateway.reached.filter(({ action }) => action.startsWith("loans."))).toEqual([]);
  },
  20_000,
);

test.each([
  ["KEEP_ALIVE_MS", "0"],
  ["KEEP_ALIVE_MS", "ten"],
  ["HEADERS_TIMEOUT_MS", "1"],
  ["REQUEST_BODY_TIMEOUT_MS", "-1"],
  ["CACHE_MB", "1.5"],
])("%s=%s stops the start and is named", async (name, value) => {
  await expect(startLibrary({}, [], { [name]: value })).rejects.toThrow(name);
});
