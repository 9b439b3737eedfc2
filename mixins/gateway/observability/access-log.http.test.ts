// The access log: which requests have a line, what the line says, and what it must not.
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { openLog } from "../../log/index.ts";
import { until } from "../../testing/index.ts";
import { raw } from "../gateway.fixture.ts";
import { book, loanBody, startLibrary, type Library } from "../library.fixture.ts";
import { AccessLog, shareOf } from "./access-log.ts";

let gateway: Library;
let ann: { id: string; token: string };
const texts: string[] = [];
const lines = (): any[] => texts.map(text => JSON.parse(text));
const logShare = (share: number): void => {
  const keep = (text: string): void => void texts.push(text);
  const log = openLog({ write: keep, collect: keep, flush: () => {}, dropped: 0 });
  gateway.service.accessLog = new AccessLog({ share, proxies: 0, node: "node-1", log });
};
/** Lines are written as connections are free again, a moment after the answer. */
const nextLine = async (): Promise<any> => {
  await until("a line", () => texts.length > 0);
  return lines().at(-1);
};

beforeAll(async () => {
  gateway = await startLibrary();
  const id = newId();
  ann = { id, token: await gateway.token(id) };
});
afterAll(() => gateway.stop());
beforeEach(() => {
  texts.length = 0;
  logShare(0);
});

test("a change has a line: route, status, bytes, time, user, ids and address", async () => {
  await gateway.http("POST", "/api/v1/loans", {
    token: ann.token,
    body: loanBody,
    // Nothing is traced here: the client's trace is nowhere to be found.
    headers: { "x-request-id": "request-0001", traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
  });
  const line = await nextLine();
  expect(line).toEqual({
    log: "access",
    node: "node-1",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    method: "POST",
    route: "/api/v1/loans",
    status: 201,
    bytes: expect.any(Number),
    ms: expect.any(Number),
    user: ann.id,
    requestId: "request-0001",
    address: expect.stringContaining("127.0.0.1"),
  });
  expect(line.bytes).toBeGreaterThan(300);
  expect(line.ms).toBeGreaterThan(0);
});

test("a failure has a line, a successful read only by its share", async () => {
  await gateway.http("GET", `/api/v1/books/${book.id}`);
  await gateway.http("HEAD", "/nowhere/at/all");
  expect(await nextLine()).toMatchObject({ method: "HEAD", route: "none", status: 404 });
  expect(texts).toHaveLength(1);
  logShare(1);
  await gateway.http("GET", `/api/v1/books/${book.id}`);
  await gateway.http("HEAD", "/health/live");
  await until("both have a line", () => texts.length === 3);
  expect(lines().map(({ method, route }) => `${method} ${route}`)).toEqual([
    "HEAD none",
    "GET /api/v1/books/:id",
    "HEAD /health/live",
  ]);
});

test("each line counts the bytes of its own request, on one connection too", async () => {
  logShare(1);
  const get = (end: string) => `GET /health/live HTTP/1.1\r\nHost: a\r\n${end}\r\n`;
  const answers = await raw(gateway.port, get("") + get("Connection: close\r\n"));
  await until("both have a line", () => texts.length === 2);
  const [first, second] = lines().map(({ bytes }) => bytes as number);
  expect(first! + second!).toBe(Buffer.byteLength(answers, "latin1"));
});

test("no secret, no query, no body and no path of the client's is in a line", async () => {
  const secret = "s3cr3t-s3cr3t-s3cr3t";
  logShare(1);
  await gateway.http("GET", `/api/v1/books?q=${secret}`, { token: secret });
  await gateway.http("POST", "/api/v1/auth/login", { body: { email: `${secret}@example.com`, password: secret } });
  await gateway.http("GET", `/${secret}`, { headers: { cookie: `session=${secret}`, "user-agent": secret } });
  await until("all have a line", () => texts.length === 3);
  expect(texts.join("")).not.toContain(secret);
});

test("a client that leaves before its answer has a line that says so", async () => {
  await raw(
    gateway.port,
    "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
    200,
  );
  expect(await nextLine()).toMatchObject({ route: "/api/v1/auth/login", aborted: true });
});

test("the share is a number, all or nothing", () => {
  expect(["off", "on", "0.25", "0", "1"].map(shareOf)).toEqual([undefined, 1, 0.25, 0, 1]);
});
