// The stream of an order: its fields, and the events that end it. The mechanism is tested in mixins/gateway.
import { get, type IncomingMessage } from "node:http";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { COMMITTED } from "@valence/runtime/stream";
import { until } from "@valence/runtime/testing";
import { startGateway, type Gateway } from "./gateway.fixture.ts";

let gateway: Gateway;
const user = newId();
let token: string;
const opened: IncomingMessage[] = [];

beforeAll(async () => {
  gateway = await startGateway();
  token = await gateway.token(user);
});
afterEach(async () => {
  for (const response of opened.splice(0)) response.destroy();
  await until("streams of the last test are gone", () => gateway.service.streams.size === 0);
});
afterAll(() => gateway.stop());

function newOrder(versions: number, pad = ""): { id: string; add(): void } {
  const id = newId();
  const events: { type: string; version: number; at: string; data: unknown }[] = [];
  gateway.histories.set(id, { owner: user, events });
  const add = () => {
    const version = events.length + 1;
    events.push({
      type: version === 1 ? "order.placed" : "order.paid",
      version,
      at: "2026-01-01T00:00:00.000Z",
      data: { reason: pad },
    });
    void gateway.broker.broadcastLocal(COMMITTED, { service: "orders" });
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
      `${gateway.url}/api/v1/orders/${id}/stream`,
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

test("history first, then each change once as it is committed", async () => {
  const order = newOrder(3);
  const stream = await open(order.id);
  expect(stream.response.headers["content-type"]).toBe("text/event-stream");
  expect(stream.response.headers["cache-control"]).toBe("private, no-store, no-transform");
  await until("history", () => stream.ids().length === 3);
  order.add();
  await until("the change", () => stream.ids().length === 4);
  expect(stream.ids()).toEqual([1, 2, 3, 4]);
  expect(stream.text()).toContain(`event: placed\ndata: {"id":"${order.id}","status":"placed","version":1,`);
});

test.each(["order.shipped", "order.rejected", "order.cancelled"])(
  "after %s the stream ends, and a client that comes back gets a 204",
  async type => {
    const order = newOrder(2);
    const stream = await open(order.id);
    await until("history", () => stream.ids().length === 2);
    const { events } = gateway.histories.get(order.id)!;
    events.push({ type, version: 3, at: "2026-01-01T00:00:00.000Z", data: {} });
    await until("the end", () => stream.response.complete);
    expect(stream.ids()).toEqual([1, 2, 3]);
    expect((await open(order.id, { "last-event-id": "3" })).response.statusCode).toBe(204);
    const late = await open(order.id, { "last-event-id": "2" });
    await until("the end", () => late.response.complete);
    expect(late.ids()).toEqual([3]);
  },
);
