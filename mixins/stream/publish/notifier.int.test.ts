import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newBrokers } from "../../testing/broker.ts";
import { until } from "../../testing/index.ts";
import { COMMITTED, type LogEvent } from "../index.ts";
import type { StoredEvent } from "../../event-store/index.ts";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { startNotifier, Publishing } from "../siblings.ts";

let house: Awaited<ReturnType<typeof newBrokers>>;
beforeEach(async () => void (house = await newBrokers()));
afterEach(() => house.stop());

/** A store as the notifier sees it. */
function log() {
  const events: StoredEvent[] = [];
  const listeners = new Set<(events: number, streams: ReadonlySet<string>) => void>();
  return {
    reads: 0,
    append(stream: string, type: string): void {
      const position = events.length + 1;
      const version = events.filter(event => event.stream === stream).length + 1;
      events.push({ position, stream, version, type, schemaVersion: 1, data: "{}", metadata: "{}", at: "2030" });
      for (const listener of listeners) listener(1, new Set([stream]));
    },
    onCommit(listener: (events: number, streams: ReadonlySet<string>) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async head() {
      return { cursor: `${events.length}`, behind: events.length };
    },
    async readAll(cursor: string, limit: number) {
      this.reads++;
      const from = Number(cursor);
      const page = events.slice(from, from + limit);
      return { events: page, cursor: `${from + page.length}` };
    },
  };
}

const owner: ServiceSchema = { name: "things", metadata: { events: { "thing.made": 1, "thing.used": 1 } } };
const listener = (pattern: string, heard: unknown[], name = "listener"): ServiceSchema => ({
  name,
  events: { [pattern]: (ctx: any) => void heard.push(ctx.params) },
});
const decode = ({ stream, version, type }: StoredEvent): LogEvent =>
  ({
    eventId: `${stream}@${version}`,
    type,
    metadata: {},
    ...(type === "thing.odd" && { broken: "unknown type" }),
  }) as unknown as LogEvent;
const notifierOn = (broker: ServiceBroker, store: ReturnType<typeof log>) =>
  startNotifier({ broker, service: "things", store, decode });

test("a burst of commits is hinted at once, and once more at its end", async () => {
  const hints: unknown[] = [];
  const broker = await house.start(owner, listener(COMMITTED, hints));
  const store = log();
  const stop = notifierOn(broker, store);
  for (let i = 0; i < 500; i++) store.append("thing.a", "thing.made");
  await until(
    () => hints.length,
    count => count >= 2,
  );
  expect(hints[0]).toEqual({ service: "things", streams: ["thing.a"] });
  expect(hints.length).toBeLessThan(20);
  stop();
});

test("a hint names the streams that were written to since the last one, and none when there are many", async () => {
  const hints: any[] = [];
  const broker = await house.start(owner, listener(COMMITTED, hints));
  const store = log();
  const stop = notifierOn(broker, store);
  for (const name of ["thing.a", "thing.b", "thing.c", "thing.b"]) store.append(name, "thing.made");
  await until("the second hint", () => hints.length >= 2);
  expect(hints.map(({ streams }) => streams)).toEqual([["thing.a"], ["thing.b", "thing.c"]]);
  await new Promise(resolve => setTimeout(resolve, 100));
  hints.length = 0;
  for (let i = 0; i < 100; i++) store.append(`thing.${i}`, "thing.made");
  await until("the second hint", () => hints.length >= 2);
  expect(hints).toEqual([{ service: "things", streams: ["thing.0"] }, { service: "things" }]);
  stop();
});

test("durable events are emitted in order as plain events, by pattern, if a service listens", async () => {
  const heard: any[] = [];
  const broker = await house.start(owner);
  const store = log();
  const stop = notifierOn(broker, store);
  store.append("thing.a", "thing.made");
  expect(store.reads).toBe(0);
  broker.createService(listener("thing.*", heard));
  await until(
    () => store.reads,
    reads => reads > 0,
  );
  store.append("thing.a", "thing.used");
  store.append("thing.b", "thing.odd");
  store.append("thing.b", "thing.made");
  await until(
    () => heard.length,
    count => count >= 2,
  );
  // Events from before the first listener are not emitted, nor is one that cannot be decoded.
  expect(heard.map(event => event.eventId)).toEqual(["thing.a@2", "thing.b@2"]);
  stop();
  store.append("thing.a", "thing.used");
  const { reads } = store;
  await new Promise(resolve => setTimeout(resolve, 30));
  expect(store.reads).toBe(reads);
});

test("a commit on another node wakes the one that publishes, another service's does not", async () => {
  let wakes = 0;
  const publisher = { origin: "", wake: () => void wakes++, stop: async () => {} };
  const broker = await house.start({
    ...owner,
    mixins: [Publishing],
    created() {
      this["publisher"] = publisher;
    },
  });
  await broker.broadcast(COMMITTED, { service: "others" });
  await broker.broadcast(COMMITTED, { service: "things" });
  await until(
    () => wakes,
    count => count > 0,
  );
  expect(wakes).toBe(1);
});
