import { get, type IncomingMessage } from "node:http";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { COMMITTED } from "../../stream/index.ts";
import { until } from "../../testing/index.ts";
import { startLibrary, type Library } from "../library.fixture.ts";
import { limits } from "../limits.ts";

let gateway: Library;
const user = newId();
let token: string;
const opened: IncomingMessage[] = [];

beforeAll(async () => {
  gateway = await startLibrary();
  token = await gateway.token(user);
});
afterEach(async () => {
  for (const response of opened.splice(0)) response.destroy();
  await until("streams of the last test are gone", () => gateway.service.streams.size === 0);
});
afterAll(() => gateway.stop());

function newLoan(versions: number, pad = ""): { id: string; add(): void } {
  const id = newId();
  const events: { type: string; version: number; at: string; data: unknown }[] = [];
  gateway.histories.set(id, { owner: user, events });
  const add = () => {
    const version = events.length + 1;
    events.push({
      type: version === 1 ? "loan.opened" : "loan.renewed",
      version,
      at: "2026-01-01T00:00:00.000Z",
      data: { reason: pad },
    });
    void gateway.broker.broadcastLocal(COMMITTED, { service: "loans" });
  };
  for (let i = 0; i < versions; i++) add();
  return { id, add };
}

interface Opened {
  response: IncomingMessage;
  text(): string;
  ids(): number[];
}
const open = (id: string, headers: Record<string, string> = {}, as = token): Promise<Opened> =>
  new Promise((resolve, reject) => {
    get(
      `${gateway.url}/api/v1/loans/${id}/stream`,
      { agent: false, headers: { authorization: `Bearer ${as}`, ...headers } },
      response => {
        opened.push(response);
        let text = "";
        response.setEncoding("utf8").on("error", () => {});
        response.on("data", (chunk: string) => (text += chunk));
        resolve({
          response,
          text: () => text,
          ids: () => [...text.matchAll(/^id: (\d+)$/gm)].map(match => Number(match[1])),
        });
      },
    ).on("error", reject);
  });
const upTo = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

test("HEAD has the header of the stream and its end; what asks for another form or state of it is refused", async () => {
  const { id } = newLoan(1);
  const ask = async (method: string, headers: Record<string, string> = {}) => {
    const {
      status,
      headers: fields,
      text,
    } = await gateway.http(method, `/api/v1/loans/${id}/stream`, { token, headers });
    return [status, fields.get("content-type"), text === ""];
  };
  expect(await ask("HEAD")).toEqual([200, "text/event-stream", true]);
  expect(await ask("HEAD", { accept: "text/*" })).toEqual([200, "text/event-stream", true]);
  expect((await ask("GET", { accept: "application/json" }))[0]).toBe(406);
  expect((await ask("GET", { "if-match": '"x"' }))[0]).toBe(412);
  expect((await gateway.http("HEAD", `/api/v1/loans/${id}/stream`)).status).toBe(401);
});

test("history first, then each change once as it is committed", async () => {
  const loan = newLoan(3);
  const stream = await open(loan.id);
  expect(stream.response.headers["content-type"]).toBe("text/event-stream");
  expect(stream.response.headers["cache-control"]).toBe("private, no-store, no-transform");
  await until("history", () => stream.ids().length === 3);
  loan.add();
  await until("the change", () => stream.ids().length === 4);
  expect(stream.ids()).toEqual([1, 2, 3, 4]);
  expect(stream.text()).toContain(`event: opened\ndata: {"id":"${loan.id}","status":"opened","version":1,`);
});

test("a stream resumed after version 10 under writes has no gap and no duplicate", async () => {
  const loan = newLoan(150);
  const writing = setInterval(() => loan.add(), 2);
  const stream = await open(loan.id, { "last-event-id": "10" });
  await until("250 changes", () => stream.ids().length > 250);
  clearInterval(writing);
  expect(stream.ids()).toEqual(upTo(11, stream.ids().at(-1)!));
});

test("a hint wakes a stream long before the poll does", async () => {
  const loan = newLoan(1);
  const stream = await open(loan.id);
  await until("history", () => stream.ids().length === 1);
  await new Promise(resolve => setTimeout(resolve, 2 * limits.streamPauseMs));
  const startedAt = performance.now();
  loan.add();
  await until("the change", () => stream.ids().length === 2);
  expect(performance.now() - startedAt).toBeLessThan(limits.streamPollMs / 2);
});

test("a change that is committed while the history is being read does not wait for the poll", async () => {
  const loan = newLoan(1);
  const timeline = gateway.histories.get(loan.id)!;
  let reads = 0;
  // The second read finds no event; the change comes before its reply, and the hint before the stream waits for one.
  timeline.afterRead = () => (++reads === 2 ? loan.add() : undefined);
  const stream = await open(loan.id);
  const startedAt = performance.now();
  await until("the change", () => stream.ids().length === 2);
  expect(performance.now() - startedAt).toBeLessThan(limits.streamPollMs / 2);
});

test("without a hint the poll finds the change", async () => {
  const loan = newLoan(1);
  const stream = await open(loan.id);
  await until("history", () => stream.ids().length === 1);
  gateway.histories
    .get(loan.id)!
    .events.push({ type: "loan.renewed", version: 2, at: "2026-01-01T00:00:00.000Z", data: {} });
  await until("the change", () => stream.ids().length === 2);
});

test.each(["loan.returned", "loan.lost"])(
  "after %s the stream ends, and a client that comes back gets a 204",
  async type => {
    const loan = newLoan(2);
    const stream = await open(loan.id);
    await until("history", () => stream.ids().length === 2);
    const { events } = gateway.histories.get(loan.id)!;
    events.push({ type, version: 3, at: "2026-01-01T00:00:00.000Z", data: {} });
    await until("the end", () => stream.response.complete);
    expect(stream.ids()).toEqual([1, 2, 3]);
    expect((await open(loan.id, { "last-event-id": "3" })).response.statusCode).toBe(204);
    const late = await open(loan.id, { "last-event-id": "2" });
    await until("the end", () => late.response.complete);
    expect(late.ids()).toEqual([3]);
  },
);

test("a Last-Event-ID past the actor's last version is refused by name", async () => {
  const { status, json } = await gateway.http("GET", `/api/v1/loans/${newLoan(2).id}/stream`, {
    token,
    headers: { "last-event-id": "3" },
  });
  expect([status, json.errors[0].field]).toEqual([400, "Last-Event-ID"]);
});

test("another user's loan is as unknown as one that does not exist", async () => {
  const loan = newLoan(1);
  const stranger = await gateway.token(newId());
  const path = (id: string) => `/api/v1/loans/${id}/stream`;
  const theirs = await gateway.http("GET", path(loan.id), { token: stranger });
  const none = await gateway.http("GET", path(newId()), { token: stranger });
  expect([theirs.status, none.status]).toEqual([404, 404]);
  expect({ ...theirs.json, requestId: "" }).toEqual({ ...none.json, requestId: "" });
});

test("a Last-Event-ID that is no version is refused by name", async () => {
  const { status, json } = await gateway.http("GET", `/api/v1/loans/${newLoan(1).id}/stream`, {
    token,
    headers: { "last-event-id": "1;2" },
  });
  expect([status, json.errors[0].field]).toEqual([400, "Last-Event-ID"]);
});

test("a sixth stream of a user is refused, and free again when one is closed", async () => {
  const loan = newLoan(1);
  const streams = [];
  for (let i = 0; i < limits.streamsPerUserMax; i++) streams.push(await open(loan.id));
  const sixth = await open(loan.id);
  expect([sixth.response.statusCode, sixth.response.headers["retry-after"]]).toEqual([429, "10"]);
  streams[0]!.response.destroy();
  await until("one closed", () => gateway.service.streams.size === limits.streamsPerUserMax - 1);
  expect((await open(loan.id)).response.statusCode).toBe(200);
});

test("a reader that does not read is cut", async () => {
  const loan = newLoan(1, "x".repeat(200_000));
  const stream = await open(loan.id);
  stream.response.pause();
  for (let i = 0; i < 100; i++) loan.add();
  const deadline = performance.now() + limits.streamStallMs + 10_000;
  while (gateway.service.streams.size > 0 && performance.now() < deadline)
    await new Promise(resolve => setTimeout(resolve, 100));
  expect(gateway.service.streams.size).toBe(0);
});

test("a stream that is opened just past its token's end says that the token has expired", async () => {
  // The gateway accepts the token for some seconds more, since clocks differ.
  const past = await gateway.signer.sign({ sub: user, roles: ["reader"] }, {}, Math.floor(Date.now() / 1_000) - 1);
  const path = `/api/v1/loans/${newLoan(1).id}`;
  expect((await gateway.http("GET", path, { token: past })).status).toBe(200);
  const { status, json, headers } = await gateway.http("GET", `${path}/stream`, { token: past });
  expect([status, json.type, json.detail]).toEqual([401, "/problems/invalid-token", "the access token has expired"]);
  expect(headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
});

test("a token that expires while the first read is under way is told as well", async () => {
  const soon = await gateway.signer.sign({ sub: user, roles: ["reader"] }, {}, Math.floor(Date.now() / 1_000) + 1);
  const loan = newLoan(1);
  gateway.histories.get(loan.id)!.afterRead = () => new Promise(resolve => setTimeout(resolve, 1_500));
  const { status, json } = await gateway.http("GET", `/api/v1/loans/${loan.id}/stream`, { token: soon });
  expect([status, json.type]).toEqual([401, "/problems/invalid-token"]);
});

test("a stream ends with its token", async () => {
  const soon = await gateway.signer.sign({ sub: user, roles: ["reader"] }, {}, Math.floor(Date.now() / 1_000) + 2);
  const stream = await open(newLoan(1).id, {}, soon);
  expect(stream.response.statusCode).toBe(200);
  await until("the end", () => stream.response.complete);
});
