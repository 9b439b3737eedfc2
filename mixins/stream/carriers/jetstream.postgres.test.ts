// @slow: it takes minutes, and begins first.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { Published } from "../publish/published.ts";
import { consumersOf, type RelayStatus } from "../siblings.ts";
import { databaseOf } from "../../database/siblings.ts";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { connect, type JetStreamManager, type NatsConnection } from "nats";
import { until } from "../../testing/index.ts";
import { newBrokers } from "../../testing/broker.ts";
import { Nats } from "../../testing/servers.ts";
import { Source } from "../log/source.fixture.ts";
import { applied, appliedIn, consuming, inside, statusIn, TYPES, writer } from "../consumer/writer.fixture.ts";
import { carrierConformance } from "./carrier.conformance.ts";
import { Channel } from "./jetstream/channel.ts";
import type { Carried } from "./message.ts";
import { carrierOf } from "./resolve.ts";

let nats: Nats;
beforeAll(async () => void (nats = await Nats.start()));
afterAll(() => nats.stop());
let namespaces = 0;

carrierConformance("JetStream", async source => {
  const house = await newBrokers();
  Object.assign(house.variables, { NATS_URL: nats.url, NAMESPACE: `conform-${++namespaces}` });
  const broker = await house.start(source.schema());
  return { carrier: carrierOf(broker), end: () => house.stop() };
});

let house: Awaited<ReturnType<typeof newBrokers>>;
let source: Source;
let admin: NatsConnection;
let manager: JetStreamManager;
/** JetStream's stream of the source. */
let stream: string;

beforeEach(async () => {
  house = await newBrokers();
  source = new Source("things", "thing", TYPES);
  const namespace = `library-${++namespaces}`;
  Object.assign(house.variables, { NATS_URL: nats.url, NAMESPACE: namespace });
  stream = new Channel(namespace, "things").name;
  admin = await connect({ servers: nats.url, maxReconnectAttempts: -1, reconnectTimeWait: 100 });
  manager = await admin.jetstreamManager();
});
afterEach(async () => {
  await house.stop();
  await admin.close();
});

/** Every event of the log has been applied once, those of each stream in order. */
async function allApplied(broker: ServiceBroker, name?: string): Promise<void> {
  const seen = await until(
    () => appliedIn(broker, name),
    list => list.length >= source.log.length,
  );
  const byStream = (ids: string[]): object =>
    Object.fromEntries([...Map.groupBy(ids, id => id.split("@")[0]!)].sort(([a], [b]) => a.localeCompare(b)));
  expect(byStream(seen)).toEqual(byStream(source.log.map(({ stream, version }) => `${stream}@${version}`)));
}

const messages = async (): Promise<number> => (await manager.streams.info(stream)).state.messages;
const published = (count: number): Promise<number> =>
  until(
    () => messages().catch(() => 0),
    stored => stored >= count,
  );
const tails = async (): Promise<string[]> => (await manager.consumers.list(stream).next()).map(({ name }) => name);
/** The readers follow JetStream, by one consumer for all of them, and the log is not read. */
const onTail = (): Promise<number> =>
  until(
    async () => (await manager.streams.info(stream).catch(() => undefined))?.state.consumer_count ?? 0,
    count => count === 1,
  );
const relayOf = async (broker: ServiceBroker): Promise<{ cursor: string; log: string }> =>
  (await databaseOf(inside(broker, "things"), { rebuildable: true })).knex("relays").first();
const cursorAt = (broker: ServiceBroker, cursor: string) =>
  until(
    () => relayOf(broker),
    row => row.cursor === cursor,
  );
const originOf = async (seq: number): Promise<string> =>
  (await manager.streams.getMessage(stream, { seq })).json<Carried>().origin;
function append(count: number): void {
  for (let i = 0; i < count; i++) source.append(`${i % 7}`, TYPES[i % 3]!);
}

describe("the relay", () => {
  test("publishes each event under its id, one actor's under one subject, spread over several", async () => {
    await house.start(source.schema());
    append(70);
    await published(70);
    const subjects = new Map<string, Set<string>>();
    for (let seq = 1; seq <= 70; seq++) {
      const { subject, header, data } = await manager.streams.getMessage(stream, { seq });
      const { event } = JSON.parse(Buffer.from(data).toString());
      expect(header.get("Nats-Msg-Id")).toBe(event.eventId);
      expect(event).toEqual(JSON.parse(JSON.stringify(source.log[seq - 1])));
      subjects.set(event.stream, (subjects.get(event.stream) ?? new Set()).add(subject));
    }
    expect([...subjects.values()].every(({ size }) => size === 1)).toBe(true);
    expect(new Set([...subjects.values()].flatMap(set => [...set])).size).toBeGreaterThan(1);
  });

  test("several nodes make the stream at once, on disk and with bounds; other bounds are made today's", async () => {
    const channel = new Channel(house.variables["NAMESPACE"]!, "things");
    await Promise.all(Array.from({ length: 5 }, () => channel.ensure(manager)));
    const { config } = await manager.streams.info(stream);
    expect(config).toMatchObject({ storage: "file", discard: "old", duplicate_window: 120e9 });
    expect(config.max_age).toBeGreaterThan(0);
    expect(config.max_bytes).toBeGreaterThan(0);
    await manager.streams.update(stream, { ...config, max_age: 1e12 });
    await Promise.all(Array.from({ length: 5 }, () => channel.ensure(manager)));
    expect((await manager.streams.info(stream)).config.max_age).toBe(config.max_age);
  });

  test("P4 goes on at the end of a log that was put back from a copy; consumers stop, and go on after a reset", async () => {
    const limits = { notInLogMs: 50, retryMinMs: 5, retryMaxMs: 20 };
    const broker = await house.start(source.schema(), consuming("readers", writer({ limits })));
    append(30);
    await allApplied(broker);
    await cursorAt(broker, "30");
    await onTail();
    source.restore(20);
    append(5);
    await until(
      () => statusIn(broker),
      ({ state }) => state === "stopped",
    );
    expect(await appliedIn(broker)).toHaveLength(30);
    await cursorAt(broker, "25");
    const before = await tails();
    await broker.call("readers.resetConsumer", { name: "writer", to: "start" });
    await applied(broker, 55);
    // The server keeps the tail from before the reset for half a minute.
    await until("it follows JetStream anew", async () => (await tails()).some(name => !before.includes(name)));
    append(5);
    await cursorAt(broker, "30");
    expect(await applied(broker, 60)).toHaveLength(60);
  });

  test("an event that is published again is in the stream once", async () => {
    const first = await house.start(source.schema());
    append(50);
    await cursorAt(first, "50");
    const status = () => first.call("things.relay");
    const parts = (lagEvents: number) =>
      Array.from({ length: 16 }, (_, partition) => ({ partition, owner: "node-1", lagEvents }));
    expect(await status()).toEqual({ lagEvents: 0, lagMs: 0, isConnected: true, partitions: parts(0) });
    for (const table of ["relays", "relay_partitions"])
      await (await databaseOf(inside(first, "things"))).knex(table).update({ cursor: "10", mark: null });
    const lagMs = expect.any(Number);
    expect(await status()).toEqual({ lagEvents: 40, lagMs, isConnected: true, partitions: parts(40) });
    await first.stop();
    append(1);
    await cursorAt(await house.start(source.schema()), "51");
    expect(await messages()).toBe(51);
  });

  test("makes a deleted stream anew, and publishes the events that it could not publish meanwhile", async () => {
    const broker = await house.start(source.schema());
    append(10);
    await cursorAt(broker, "10");
    await manager.streams.delete(stream);
    append(10);
    await cursorAt(broker, "20");
    expect(await messages()).toBe(10);
  });

  test("goes on where it stood after a restart, and elsewhere when its node goes", async () => {
    const first = await house.start(source.schema());
    const second = await house.start(source.schema());
    append(30);
    await cursorAt(first, "30");
    await first.stop();
    append(10);
    await cursorAt(second, "40");
    expect(await messages()).toBe(40);
  });

  /** The partitions that each node publishes, as the rows of their leases say. */
  const sharedBy = (broker: ServiceBroker, nodes: number): Promise<unknown> =>
    until(
      () => broker.call<RelayStatus>("things.relay"),
      ({ partitions = [] }) => {
        const owners = partitions.map(({ owner }) => owner);
        return !owners.includes(null) && new Set(owners).size === nodes;
      },
    );

  test("P4 two nodes publish a part each, as do three; one that stops leaves its part to the others", async () => {
    source.relayLimits = { moveMs: 0, lookMs: 50 };
    const first = await house.start(source.schema(), consuming("readers", writer()));
    append(20);
    await cursorAt(first, "20");
    const second = await house.start(source.schema());
    await sharedBy(first, 2);
    await onTail();
    append(200);
    await allApplied(first);
    await cursorAt(first, "220");
    // Not a message is missing, or too late: the readers did not go back to the log.
    const { reads } = source;
    for (let i = 0; i < 20; i++) append(10);
    await cursorAt(first, "420");
    await allApplied(first);
    expect(source.reads).toBe(reads);
    await house.start(source.schema());
    await sharedBy(first, 3);
    append(100);
    await second.stop();
    append(100);
    await cursorAt(first, "620");
    await allApplied(first);
    expect(await messages()).toBe(620);
  });

  test("while a reader runs that does not put pages into order, one node publishes; then they share", async () => {
    source.relayLimits = { moveMs: 0, lookMs: 50 };
    const { metadata, ...readers } = consuming("readers", writer()) as ServiceSchema & { mixins: ServiceSchema[] };
    const [{ metadata: told = {}, ...mixin } = {} as ServiceSchema, ...others] = readers.mixins;
    const old = { ...told, joinsPages: undefined };
    const first = await house.start({ ...readers, mixins: [mixin as ServiceSchema, ...others], metadata: old });
    const second = await house.start(source.schema());
    const third = await house.start(source.schema());
    await until(
      () => Promise.all([second, third].map(broker => broker.call<RelayStatus>("things.relay"))),
      statuses => statuses.every(({ partitions }) => partitions === undefined),
    );
    append(100);
    await cursorAt(second, "100");
    await allApplied(first);
    await first.stop();
    append(50);
    await sharedBy(second, 2);
    append(50);
    await cursorAt(second, "200");
    expect(await messages()).toBe(200);
  });

  test("a node that was overtaken sets no partition back, and the whole log's place is where the slowest one is", async () => {
    const database = await databaseOf(inside(await house.start(source.schema()), "things"), { rebuildable: true });
    await database.knex("relays").insert({ source: "books", log: "log", cursor: "" });
    const [overtaken, overtaker] = [new Published(database, "books", 2), new Published(database, "books", 2)];
    const found = await overtaken.found(new Set([0, 1]));
    expect(await overtaken.move(found, { cursor: "10", mark: "m10" })).toBe(true);
    expect(await overtaken.follow()).toBe("10");
    const taken = await overtaker.found(new Set([1]));
    expect(await overtaker.move(taken, { cursor: "30", mark: "m30" })).toBe(true);
    expect(await overtaken.move(found, { cursor: "20", mark: "m20" })).toBe(false);
    expect(await overtaker.follow()).toBe("20");
    expect([...(await overtaker.places()).values()]).toEqual([
      { cursor: "20", mark: "m20" },
      { cursor: "30", mark: "m30" },
    ]);
    expect(await overtaken.whole()).toEqual({ cursor: "20", mark: "m20" });
    // One node alone, as of a release before, has come further since.
    expect(await overtaker.moveWhole("20", { cursor: "25", mark: "m25" })).toBe(true);
    expect([...(await overtaker.places()).values()].map(({ cursor }) => cursor)).toEqual(["25", "30"]);
    expect(await new Published(database, "books", 4).places().then(all => all.get(3))).toEqual({
      cursor: "25",
      mark: "m25",
    });
  });

  test("history is not published, and is read all the same", async () => {
    source.relayLimits = { history: 100 };
    append(500);
    const broker = await house.start(source.schema(), consuming("readers", writer()));
    await cursorAt(broker, "500");
    source.append("0", TYPES[0]!);
    await published(1);
    await allApplied(broker);
    expect(await messages()).toBe(1);
  });

  test("an event larger than a message may be reaches its consumers, and so do those behind it", async () => {
    const broker = await house.start(source.schema(), consuming("readers", writer()));
    await onTail();
    source.append("a", TYPES[0]!, { text: "x".repeat(1_500_000) });
    source.append("a", TYPES[0]!);
    await allApplied(broker);
    await cursorAt(broker, "2");
  });
});

describe("consumers", () => {
  test("P4 the stream is deleted, again and again, while events flow: each is applied once, in order", async () => {
    const readers = [consuming("readers", writer()), consuming("others", writer({ name: "other" }))];
    const broker = await house.start(source.schema(), ...readers);
    await onTail();
    for (let round = 0; round < 3; round++) {
      append(300);
      await until(
        () => appliedIn(broker),
        list => list.length > round * 300,
      );
      // The relay may not have made the stream anew yet.
      await until(
        () => manager.streams.delete(stream).catch(() => false),
        isDeleted => isDeleted,
      );
    }
    append(300);
    // Until all of them come by JetStream again, and no consumer reads the log.
    await until(
      async () => {
        const { reads } = source;
        append(10);
        await allApplied(broker);
        await allApplied(broker, "others");
        return source.reads === reads;
      },
      isOnTail => isOnTail,
    );
    expect(await messages()).toBeGreaterThan(0);
  });

  test("P4 the server is away for a while and comes back empty: events flow on meanwhile, and go by JetStream again", async () => {
    const own = await Nats.start();
    try {
      house.variables["NATS_URL"] = own.url;
      const broker = await house.start(source.schema(), consuming("readers", writer()));
      append(200);
      await allApplied(broker);
      await own.halt();
      append(200);
      await allApplied(broker);
      await own.start({ empty: true });
      append(200);
      await allApplied(broker);
      const admin = await connect({ servers: own.url });
      const { streams } = await admin.jetstreamManager();
      await until(
        async () => {
          append(1);
          const { state } = await streams.info(stream).catch(() => ({ state: { messages: 0, consumer_count: 0 } }));
          return state.messages > 0 && state.consumer_count === 1;
        },
        both => both,
      );
      await admin.close();
      await allApplied(broker);
    } finally {
      await house.stop();
      await own.stop();
    }
  });

  test("P4 two nodes read at once, as if no lease held: one loses and rolls back", async () => {
    const careless = () =>
      consuming("readers", writer({ limits: { leaseMs: 0, batch: 50, retryMinMs: 5, retryMaxMs: 20 } }));
    const broker = await house.start(source.schema(), careless());
    await house.start(source.schema(), careless());
    for (let i = 0; i < 20; i++) {
      append(100);
      await applied(broker, i * 100);
    }
    await allApplied(broker);
  });

  test("P4 another carrier goes on at the same cursor, and parked streams stay parked", async () => {
    const fails = (id: string) => (id === "thing.3@2" ? new Error("poison") : undefined);
    append(70);
    const readers = () => consuming("readers", writer({}, fails));
    for (const [i, carrier] of ["local", "jetstream", "local"].entries()) {
      house.variables["CARRIER"] = carrier;
      const broker = await house.start(source.schema(), readers());
      append(70);
      const others = source.log.filter(({ stream }) => stream !== "3").length;
      const seen = await applied(broker, others + 1);
      expect(seen.filter(id => id.startsWith("3@"))).toEqual(["3@1"]);
      expect(new Set(seen).size).toBe(seen.length);
      const { deadLetters } = await until(
        () => broker.call<{ deadLetters: object[] }, object>("readers.deadLetters", {}),
        ({ deadLetters }) => deadLetters.length === 20 + i * 10 - 1,
      );
      expect(deadLetters[0]).toMatchObject({ stream: "thing.3", version: 2 });
      await broker.stop();
    }
  });

  test("P4 a new database under the same names is another log: nothing of the old one comes back", async () => {
    const old = await house.start(source.schema(), consuming("readers", writer()));
    append(70);
    await allApplied(old);
    await cursorAt(old, "70");
    const before = await originOf(70);
    await house.stop();
    const { NATS_URL, NAMESPACE } = house.variables;
    house = await newBrokers();
    Object.assign(house.variables, { NATS_URL, NAMESPACE });
    source = new Source("things", "thing", TYPES);
    const broker = await house.start(source.schema(), consuming("readers", writer()));
    source.append("0", TYPES[0]!);
    source.append("z", TYPES[0]!);
    await allApplied(broker);
    await cursorAt(broker, "2");
    expect(await originOf((await manager.streams.info(stream)).state.last_seq)).not.toBe(before);
    source.append("0", TYPES[0]!);
    await allApplied(broker);
    expect((await (await consumersOf(inside(broker))).status("writer")).events).toBe(3);
  });
});
