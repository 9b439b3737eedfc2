// Consumers that several nodes share: by partitions, and in turn with nodes that divide the log otherwise.
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { hostname } from "node:os";
import type { ServiceBroker } from "moleculer";
import { metricOf, newBrokers } from "../../testing/broker.ts";
import { randomOf, until } from "../../testing/index.ts";
import type { Database } from "../../database/index.ts";
import { Source } from "../log/source.fixture.ts";
import { streamMetrics } from "../metrics.ts";
import { consumersOf, type Consumer } from "../siblings.ts";
import { Shares } from "../sharing/shares.ts";
import { TYPES, applied, appliedIn, consuming, databaseIn, inside, statusIn, writer } from "./writer.fixture.ts";

let house: Awaited<ReturnType<typeof newBrokers>>;
let source: Source;
beforeEach(async () => {
  house = await newBrokers();
  source = new Source("things", "thing", TYPES);
});
afterEach(() => house.stop());

const limits = { leaseMs: 600, lookMs: 50, batch: 20, retryMinMs: 5, retryMaxMs: 20 };
const node = (...consumers: Consumer[]): Promise<ServiceBroker> =>
  house.start(source.schema(), consuming("readers", ...consumers));
function append(count: number, random = randomOf(1)): void {
  for (let i = 0; i < count; i++) source.append(`${Math.floor(random() * 25)}`, "thing.used");
}
/** `<stream>@<version>` of all events, sorted. */
const all = (): string[] => source.log.map(({ stream, version }) => `${stream}@${version}`).sort();
const leasesIn = async (broker: ServiceBroker): Promise<any[]> => (await databaseIn(broker)).knex("leases");
/** Number of partitions that each of these nodes has. */
async function sharesOf(...nodes: ServiceBroker[]): Promise<number[]> {
  const { partitions } = await (await consumersOf(inside(nodes[0]!))).status("writer", { partitions: "all" });
  return nodes.map(({ nodeID }) => partitions!.filter(({ owner }) => owner === nodeID).length);
}
const even = (counts: readonly number[]): boolean =>
  Math.max(...counts) - Math.min(...counts) <= 1 && counts.reduce((sum, count) => sum + count) === 16;

function inOrder(list: readonly string[]): void {
  const last = new Map<string, number>();
  for (const id of list) {
    const [stream, version] = id.split("@") as [string, string];
    expect(`${stream}@${last.get(stream) ?? 0}`).toBe(`${stream}@${Number(version) - 1}`);
    last.set(stream, Number(version));
  }
}

test("a node that stops asks owners on other nodes for no more pages: its broker waits for all calls that are under way", async () => {
  Object.assign(house.options, { transporter: "Fake", namespace: house.databases.folder });
  const { actions, ...owner } = source.schema();
  const slow = (): Promise<unknown> => new Promise(resolve => setTimeout(resolve, 1_000));
  await house.start({ ...owner, actions: { ...actions, slow } });
  const reader = await house.start(consuming("readers", writer({ limits })));
  // The newest one is asked first.
  let before = 0;
  reader.middlewares.add({ name: "begins", stopping: async () => void (before = source.reads) });
  const writing = setInterval(() => append(1), 5);
  try {
    await until("it reads", () => source.reads > 3);
    const answered = reader.call("things.slow");
    await reader.stop();
    await answered;
    // The one at hand.
    expect(source.reads - before).toBeLessThanOrEqual(2);
  } finally {
    clearInterval(writing);
  }
});

describe("P4 nodes that share a consumer", () => {
  test("whatever nodes come, go, and are taken for dead: each event is applied once, each stream's in order", async () => {
    const random = randomOf(Number(process.env["SEED"] ?? 3));
    /** The first success for each event, as an actor sees it that knows its command ids. */
    const firsts: string[] = [];
    const reactor: Consumer = {
      name: "reactor",
      types: TYPES,
      limits,
      async react({ stream, version }) {
        await new Promise(resolve => setTimeout(resolve, random() * 3));
        const id = `${stream}@${version}`;
        if (!firsts.includes(id)) firsts.push(id);
      },
    };
    const start = (): Promise<ServiceBroker> => node(writer({ limits }), reactor);
    const nodes = [await start(), await start()];
    for (let step = 0; step < 12; step++) {
      append(40, random);
      const chance = random();
      if (chance < 0.35 && nodes.length < 4) nodes.push(await start());
      else if (chance < 0.6 && nodes.length > 1) await nodes.splice(Math.floor(random() * nodes.length), 1)[0]!.stop();
      // Nobody knows that others have the partitions now: two nodes work on each for a while.
      else await (await databaseIn(nodes[0]!)).knex("leases").update({ expires_at: 0 });
      await new Promise(resolve => setTimeout(resolve, random() * 120));
    }
    const seen = await applied(nodes[0]!, source.log.length);
    expect(seen.toSorted()).toEqual(all());
    inOrder(seen);
    await until(
      () => firsts.length,
      count => count === source.log.length,
    );
    inOrder(firsts);
    await until(() => sharesOf(...nodes), even);
    const { events, lagEvents, parkedStreams } = await until(
      () => statusIn(nodes[0]!),
      status => status.lagEvents === 0,
    );
    expect({ events, lagEvents, parkedStreams }).toEqual({ events: source.log.length, lagEvents: 0, parkedStreams: 0 });
  });

  test("both read, each its part; a failed stream is retried by the node that has its partition", async () => {
    const readBy = new Map<string, Set<string>>();
    let isHealed = false;
    const start = (name: string): Promise<ServiceBroker> =>
      node(
        writer({ limits }, id => {
          const stream = id.slice("thing.".length).split("@")[0]!;
          readBy.set(stream, (readBy.get(stream) ?? new Set()).add(name));
          return !isHealed && id === "thing.7@1" ? new Error("poison") : undefined;
        }),
      );
    const [first, second] = [await start("first"), await start("second")];
    await until(() => sharesOf(first, second), even);
    append(200);
    await until(
      () => statusIn(first),
      ({ parkedStreams, lagEvents }) => parkedStreams === 1 && lagEvents === 0,
    );
    for (const names of readBy.values()) expect(names.size).toBe(1);
    expect(new Set([...readBy.values()].flatMap(names => [...names])).size).toBe(2);
    isHealed = true;
    const owner = [...readBy.get("7")!];
    const { deadLetters } = await first.call<any, object>("readers.deadLetters", {});
    await first.call("readers.retryDeadLetter", { id: deadLetters[0].id });
    expect((await applied(second, source.log.length)).toSorted()).toEqual(all());
    expect([...readBy.get("7")!]).toEqual(owner);
    const labels = { service: "readers", consumer: "writer" };
    expect(await metricOf(first, streamMetrics.partitions, labels)).toBe(8);
    const lags = (broker: ServiceBroker) =>
      Promise.all(
        Array.from({ length: 16 }, (_, partition) =>
          metricOf(broker, streamMetrics.partitionLag, { ...labels, partition: String(partition) }),
        ),
      );
    const [here, there] = [await lags(first), await lags(second)];
    // Each partition is measured by the node that reads it, and by no other.
    expect(here.filter(lag => lag !== undefined)).toHaveLength(8);
    expect(here.every((lag, partition) => (lag === undefined) !== (there[partition] === undefined))).toBe(true);
  });
});

describe("the shares of nodes", () => {
  const long = { leaseMs: 60_000, lookMs: 50 };
  async function shares(
    broker: ServiceBroker,
    name: string,
    bounds = long,
    isConnected = () => true,
  ): Promise<{ shares: Shares; held: () => number }> {
    const database: Database = await databaseIn(broker);
    const logger = { debug: () => {} };
    const own = new Shares({ database, nodeId: name, count: 16, limits: bounds, logger, isConnected });
    let held: ReadonlySet<number> = new Set();
    own.add("c", bounds, async partitions => void (held = partitions));
    return { shares: own, held: () => held.size };
  }
  const counts = (nodes: readonly { held: () => number }[], expected: readonly number[], withinMs = 2_000) =>
    until(
      () => nodes.map(({ held }) => held()),
      seen => seen.join() === expected.join(),
      withinMs,
    );

  test("one that is lost by the broker is not waited for; one that renews its leases is believed", async () => {
    const broker = await node();
    const a = await shares(broker, "a");
    await counts([a], [16]);
    const b = await shares(broker, "b");
    await counts([a, b], [8, 8]);
    // The broker lost it by mistake: it takes back its share.
    b.shares.lost("a");
    await until(b.held, held => held > 8);
    const { knex } = await databaseIn(broker);
    await knex("leases").where("holder", "like", "%/a").increment("expires_at", 1);
    await counts([a, b], [8, 8]);
    await a.shares.remove("c");
    await counts([a, b], [0, 16]);
    await b.shares.remove("c");
  });

  test("one that is cut off from the bus leaves its part to the others, until all are: then each keeps what it has", async () => {
    const broker = await node();
    const short = { leaseMs: 2_000, lookMs: 50 };
    const cutOff = new Set<string>();
    const [a, b] = [
      await shares(broker, "a", short, () => !cutOff.has("a")),
      await shares(broker, "b", short, () => !cutOff.has("b")),
    ];
    await counts([a, b], [8, 8]);
    cutOff.add("a");
    // It renews its leases all the while, and the broker of the other one has lost it.
    b.shares.lost("a");
    await counts([a, b], [0, 16], 10_000);
    await new Promise(resolve => setTimeout(resolve, 500));
    expect([a.held(), b.held()]).toEqual([0, 16]);
    cutOff.clear();
    a.shares.found("b");
    b.shares.found("a");
    await counts([a, b], [8, 8]);
    cutOff.add("a").add("b");
    await new Promise(resolve => setTimeout(resolve, 1.5 * short.leaseMs));
    expect([a.held(), b.held()]).toEqual([8, 8]);
    cutOff.clear();
    await a.shares.remove("c");
    await b.shares.remove("c");
  });

  test("one whose process is gone is not waited for, and its membership is removed", async () => {
    const broker = await node();
    const database = await databaseIn(broker);
    const { knex } = database;
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    const dead = { holder: `${hostname()}/${pid}/other/1/dead`, epoch: 4, expires_at: (await database.now()) + 60_000 };
    await knex("leases").insert(["member/16/c/other/1", "c/3/16"].map(name => ({ name, ...dead })));
    const a = await shares(broker, "a");
    await counts([a], [16]);
    expect((await leasesIn(broker)).filter(({ holder }) => holder === dead.holder)).toEqual([]);
    await a.shares.remove("c");
  });
});

describe("P4 nodes that divide a log otherwise take turns", () => {
  const GATE = "writer/things/0";
  const isWaiting = async (broker: ServiceBroker): Promise<void> => {
    await new Promise(resolve => setTimeout(resolve, 300));
    expect((await statusIn(broker)).state).toBe("waiting");
  };

  test("a node without partitions is waited for, and its checkpoint, versions and dead letters are taken over", async () => {
    append(30);
    const before = await node();
    const database = await databaseIn(before);
    const { knex } = database;
    const old = { name: GATE, holder: "elsewhere/1/old/1", epoch: 1, expires_at: (await database.now()) + 60_000 };
    await knex("leases").insert(old);
    // It has applied 20 events, and failed at the next one of a stream.
    const done = source.log.slice(0, 20);
    const failed = source.log.slice(20).find(({ stream }) => done.some(event => event.stream === stream))!;
    const place = { consumer: "writer", source: "things", partition: "0" };
    await knex("checkpoints").insert({ ...place, cursor: "20", revision: 7, events: 20 });
    for (const { stream, version } of done) {
      await knex("applied").insert({ stream, version });
      await knex("consumer_versions")
        .insert({ consumer: "writer", actor_stream: `thing.${stream}`, version })
        .onConflict(["consumer", "actor_stream"])
        .merge();
    }
    const error = JSON.stringify({ type: "ERROR", message: "poison" });
    const parked = { state: "retrying", attempts: 5, next_at: (await database.now()) + 600_000, error };
    await knex("parked_streams").insert({ ...place, actor_stream: `thing.${failed.stream}`, ...parked });
    const after = await node(writer({ limits }));
    await isWaiting(after);
    await knex("leases").where({ name: GATE }).update({ expires_at: 0 });
    const others = source.log.filter(({ stream }, i) => i < 20 || stream !== failed.stream);
    const seen = await applied(after, others.length);
    expect(seen.toSorted()).toEqual(others.map(({ stream, version }) => `${stream}@${version}`).sort());
    const status = await statusIn(after);
    expect(status).toMatchObject({ retryingStreams: 1, lagEvents: 0, events: 30 });
    // The old node's transaction at hand finds another revision.
    const [{ revision }] = await knex("checkpoints").where(place);
    expect(Number(revision)).toBeGreaterThan(7);
    // A roll-back begins where all have come to.
    await after.stop();
    expect(await knex("checkpoints").where(place).first()).toMatchObject({ cursor: "30" });
    expect(Number((await knex("leases").where({ name: GATE }).first()).expires_at)).toBe(0);
  });

  test("a node whose gate another release has taken meanwhile applies nothing more", async () => {
    append(10);
    const broker = await node(writer({ limits }));
    await applied(broker, 10);
    const database = await databaseIn(broker);
    const { knex } = database;
    await knex("leases")
      .where({ name: GATE })
      .update({ holder: "elsewhere/1/old/1", expires_at: (await database.now()) + 60_000 });
    append(10);
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(await appliedIn(broker)).toHaveLength(10);
    await knex("leases").where({ name: GATE }).update({ expires_at: 0 });
    expect((await applied(broker, 20)).toSorted()).toEqual(all());
  });

  test("the number of partitions changes while events go on: the new number waits until the old one is gone", async () => {
    const of16 = await node(writer({ limits }));
    append(50);
    await applied(of16, 50);
    house.variables["PARTITIONS"] = "4";
    const of4 = await node(writer({ limits }));
    await isWaiting(of4);
    append(50);
    await applied(of16, 100);
    await of16.stop();
    append(50);
    expect((await applied(of4, 150)).toSorted()).toEqual(all());
    inOrder(await appliedIn(of4));
    const rows = await (await databaseIn(of4)).knex("checkpoints").orderBy("partition");
    expect(rows.map(({ partition }: any) => partition)).toEqual(["0", "0/4", "1/4", "2/4", "3/4"]);
    expect(await statusIn(of4)).toMatchObject({ events: 150 });
  });
});
