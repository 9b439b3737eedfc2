// An ingress on JetStream: messages of others become calls, each once, those of a key in order.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { connect, headers, type JetStreamClient, type NatsConnection } from "nats";
import Type from "typebox";
import { COMMAND_ID, dependencyReports, Refusal, Unavailable } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { newBrokers, type TestBrokers } from "../../testing/broker.ts";
import { Nats } from "../../testing/servers.ts";
import { defineIngress } from "../index.ts";
import { Ingresses } from "../mixin.ts";

let nats: Nats;
let connection: NatsConnection;
let jetStream: JetStreamClient;
let brokers: TestBrokers;
let subject: string;
let subjects = 0;
/** Calls that the shelves took, and what they do with them. */
let calls: { book: string; count: number; id: string }[];
let answer: (book: string, count: number) => void;

beforeAll(async () => {
  nats = await Nats.start();
  connection = await connect({ servers: nats.url });
  jetStream = connection.jetstream();
});
afterAll(async () => {
  await connection.close();
  await nats.stop();
});
beforeEach(async () => {
  subject = `printer.deliveries-${++subjects}`;
  calls = [];
  answer = () => {};
  brokers = await newBrokers({ NATS_URL: nats.url, NAMESPACE: `library-${subjects}` });
});
afterEach(() => brokers.stop());

const shelves = (): ServiceSchema => ({
  name: "shelves",
  actions: {
    put(ctx: any) {
      const { book, count } = ctx.params;
      answer(book, count);
      // As an actor does: a command that is repeated takes no effect.
      const id = ctx.headers[COMMAND_ID];
      if (!calls.some(call => call.id === id)) calls.push({ book, count, id });
    },
  },
});
const deliveries = (more: object = {}) =>
  defineIngress({
    name: "printer-deliveries",
    from: { jetstream: { stream: `PRINTER-${subjects}`, subject } },
    message: Type.Object({ book: Type.String(), count: Type.Integer({ minimum: 1 }) }),
    key: ({ data }) => data.book,
    maxBytes: 1_000,
    handle: ({ data }, { call }) => (call as any)("shelves.put", data),
    ...more,
  });
const receiving = (ingress = deliveries()): ServiceSchema => ({ name: "receiving", mixins: [Ingresses(ingress)] });
/** Resolves when the stream is there. */
async function start(): Promise<ServiceBroker> {
  const broker = await brokers.start(shelves(), receiving());
  await until(
    () => statusIn(broker),
    ({ lagEvents }) => lagEvents !== null,
  );
  return broker;
}

/** Publishes messages, as text or as JSON, with the attributes of a CloudEvent where an id is given. */
async function publish(data: unknown, id?: string): Promise<void> {
  const own = headers();
  if (id !== undefined) {
    own.set("ce-specversion", "1.0");
    own.set("ce-id", id);
    own.set("ce-source", "/printer");
    own.set("ce-type", "books.delivered.v1");
  }
  await jetStream.publish(subject, typeof data === "string" ? data : JSON.stringify(data), { headers: own });
}
const book = (name: string, count = 1) => ({ book: name, count });
const came = (count: number) => until(`${count} calls`, () => calls.length >= count);
const statusIn = async (broker: ServiceBroker): Promise<any> =>
  (await broker.call<any>("receiving.ingresses")).ingresses[0];
const handled = (broker: ServiceBroker, count: number) =>
  until(
    () => statusIn(broker),
    ({ events, lagEvents }) => events >= count && lagEvents === 0,
  );
const lettersIn = async (broker: ServiceBroker): Promise<any[]> =>
  (await broker.call<any>("receiving.deadLetters")).deadLetters;

test("P3 a message becomes a call, those of a key in order; one that comes again does nothing", async () => {
  const broker = await start();
  for (let i = 1; i <= 30; i++) await publish(book(`b${i % 3}`, i), `delivery-${i}`);
  for (let i = 30; i >= 1; i -= 7) await publish(book(`b${i % 3}`, i), `delivery-${i}`);
  const { lagEvents, state, parkedStreams } = await handled(broker, 35);
  expect({ lagEvents, state, parkedStreams }).toEqual({ lagEvents: 0, state: "following", parkedStreams: 0 });
  expect(calls).toHaveLength(30);
  for (const [, own] of Map.groupBy(calls, call => call.book))
    expect(own.map(({ count }) => count)).toEqual(own.map(({ count }) => count).toSorted((a, b) => a - b));
});

test("bad messages are dead letters with payload, headers and reason; the others of their key go on", async () => {
  const broker = await start();
  answer = name => {
    if (name === "unknown") throw new Refusal("BOOK_NOT_FOUND", { field: "book" });
  };
  await publish("{ no JSON");
  await publish({ book: "b1" });
  await publish({ ...book("b1"), note: "x".repeat(2_000) });
  await publish(book("unknown", 1), "d-1");
  await publish(book("unknown", 2), "d-2");
  await publish(book("b1", 7));
  await came(1);
  await handled(broker, 6);
  const letters = await lettersIn(broker);
  expect(letters.map(({ error }) => error.type)).toEqual([
    "MESSAGE_MALFORMED",
    "MESSAGE_UNFIT",
    "MESSAGE_TOO_LARGE",
    "BOOK_NOT_FOUND",
    "BOOK_NOT_FOUND",
  ]);
  expect(letters[3]).toMatchObject({
    consumer: "printer-deliveries",
    type: "books.delivered.v1",
    event: { data: { payload: book("unknown", 1), headers: { "ce-id": "d-1" }, place: "4" } },
  });

  // The book is known now: the operator tries one of them again, and discards the malformed one.
  answer = () => {};
  await broker.call("receiving.retryDeadLetter", { id: letters[3].id });
  await came(2);
  await broker.call("receiving.discardDeadLetter", { id: letters[0].id });
  const left = await until(
    () => lettersIn(broker),
    all => all.length === 3,
  );
  expect(left.map(({ id }) => id)).toEqual([letters[1].id, letters[2].id, letters[4].id]);
  const discard = (params: object) => broker.call<any, object>("receiving.discardDeadLetters", params);
  const unfit = [{ consumer: "printer-deliveries", letters: 1, sample: [letters[1].id] }];
  expect(await discard({ error: "MESSAGE_UNFIT", dryRun: true })).toEqual({ discarded: unfit, hasMore: false });
  expect(await discard({ error: "MESSAGE_UNFIT" })).toEqual({ discarded: unfit, hasMore: false });
  await until(
    () => lettersIn(broker),
    all => all.length === 2,
  );
  expect(calls.map(({ count }) => count)).toEqual([7, 1]);
});

test("a message without a value is a dead letter, or passed over where the ingress says so", async () => {
  const broker = await start();
  await publish("", "d-1");
  await publish(book("b1"));
  await handled(broker, 2);
  expect((await lettersIn(broker)).map(({ error }) => error.type)).toEqual(["MESSAGE_EMPTY"]);
  await broker.stop();
  const ignoring = deliveries({ name: "other-deliveries", ignoresEmpty: true });
  const next = await brokers.start(shelves(), { name: "taking", mixins: [Ingresses(ignoring)] });
  await came(2);
  const { deadLetters } = await next.call<any>("taking.deadLetters");
  expect(deadLetters).toEqual([]);
});

test("P3 a call that fails is made again under its id; those of its key wait, others go on", async () => {
  await start();
  let isAway = true;
  answer = name => {
    if (name === "b1" && isAway) throw new Unavailable("SHELF_AWAY");
  };
  for (let i = 1; i <= 6; i++) await publish(book(`b${i % 2}`, i));
  await came(3);
  expect(calls.map(({ count }) => count)).toEqual([2, 4, 6]);
  isAway = false;
  await came(6);
  expect(calls.slice(3).map(({ count }) => count)).toEqual([1, 3, 5]);
});

test("a call that fails by a mistake parks its key after some attempts; a person sends it back, in order", async () => {
  const broker = await start();
  let isWrong = true;
  answer = name => {
    if (name === "b1" && isWrong) throw new Error("a mistake");
  };
  for (const count of [1, 2, 3]) await publish(book("b1", count));
  await publish(book("b2", 4));
  const letters = await until(
    () => lettersIn(broker),
    found => found.length === 3,
  );
  expect(letters.map(({ stream, attempts }) => [stream, attempts])).toEqual(
    letters.map(() => ["printer-deliveries.0:b1", 5]),
  );
  // A later one waits behind them; the first is given up.
  isWrong = false;
  await publish(book("b1", 5));
  await handled(broker, 5);
  expect(calls.map(({ count }) => count)).toEqual([4]);
  await broker.call("receiving.discardDeadLetter", { id: letters[0].id });
  await came(4);
  expect(calls.map(({ count }) => count)).toEqual([4, 2, 3, 5]);
});

test("an operator pauses and resumes it; a restart goes on where it was", async () => {
  const broker = await start();
  await publish(book("b1", 1));
  await came(1);
  expect(
    await broker.call("receiving.pauseIngress", { name: "printer-deliveries", note: "a count is under way" }),
  ).toMatchObject({
    state: "paused",
    paused: { note: "a count is under way" },
  });
  await until("it has paused", async () => {
    const [report] = (await reports(broker)).filter(({ kind }) => kind === "ingress");
    return report?.status === "warn" && report.message.includes("a count is under way");
  });
  await publish(book("b1", 2));
  await until(
    () => statusIn(broker),
    ({ lagEvents }) => lagEvents === 1,
  );
  await broker.stop();
  const next = await start();
  expect(await statusIn(next)).toMatchObject({ state: "paused", lagEvents: 1 });
  await next.call("receiving.resumeIngress", { name: "printer-deliveries" });
  await came(2);
  expect(calls.map(({ count }) => count)).toEqual([1, 2]);
  await expect(next.call("receiving.pauseIngress", { name: "other" })).rejects.toMatchObject({
    type: "INGRESS_NOT_FOUND",
  });
});

test("without its bus it is off, and says so once and in its health", async () => {
  const alone = await newBrokers();
  const broker = await alone.start(shelves(), receiving());
  expect(await statusIn(broker)).toMatchObject({ state: "off", from: null, lagEvents: 0 });
  expect(await reports(broker)).toContainEqual({
    kind: "ingress",
    name: "receiving: printer-deliveries",
    status: "ok",
    message: "off: NATS_URL is not set",
  });
  await alone.stop();
});

const reports = async (broker: ServiceBroker) => dependencyReports(broker, 1_000);
