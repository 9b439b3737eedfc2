// @slow: it takes minutes, and begins first.
// Nodes that each host the actors, publish a part of their log, and have a part of the same consumer.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { connect } from "nats";
import { until } from "@valence/runtime/testing";
import type { Kafka } from "@valence/runtime/testing/servers";
import { Cluster } from "./cluster.ts";

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start(0);
  await Promise.all([cluster.join({ READERS: "1" }), cluster.join({ READERS: "1" })]);
});
afterEach(() => cluster.stop());

function rows<R>(service: string, sql: string): R[] {
  const database = new DatabaseSync(join(cluster.folder, `${service}.sqlite`), { readOnly: true });
  try {
    return database.prepare(sql).all() as R[];
  } finally {
    database.close();
  }
}

/** The node whose process holds a lease. */
function holderOf(service: string, lease: string): string | undefined {
  const [row] = rows<{ holder: string }>(service, `select holder from leases where name = '${lease}'`);
  const pid = Number(row?.holder.split("/")[1]);
  return [...cluster.nodes].find(([, { process }]) => process.pid === pid)?.[0];
}

/** Pauses a node while it does not hold the write lock of a file: otherwise the others would wait with it. */
async function pause(node: string): Promise<void> {
  await until(`${node} is paused between two transactions`, () => {
    cluster.signal(node, "SIGSTOP");
    if (["tallies", "readers"].every(isFree)) return true;
    cluster.signal(node, "SIGCONT");
    return false;
  });
}
function isFree(service: string): boolean {
  const database = new DatabaseSync(join(cluster.folder, `${service}.sqlite`), { timeout: 500 });
  try {
    database.exec("begin immediate; rollback");
    return true;
  } catch {
    return false;
  } finally {
    database.close();
  }
}

/** Every event of the log has been applied once, and has been published, those of one actor in order. */
async function allAppliedAndPublished(): Promise<void> {
  const events = rows<{ name: string; version: number }>("tallies", "select name, version from streams order by name");
  const total = events.reduce((sum, { version }) => sum + version, 0);
  const applied = () =>
    rows<{ stream: string; version: number }>("readers", "select stream, version from applied order by id");
  await until("all is applied", () => applied().length >= total);
  const expected = new Map(events.map(({ name, version }) => [name, Array.from({ length: version }, (_, i) => i + 1)]));
  const appliedBy = Map.groupBy(applied(), ({ stream }) => `tally.${stream}`);
  for (const [name, versions] of expected) expect(appliedBy.get(name)!.map(row => row.version)).toEqual(versions);

  const { kafka } = cluster;
  const published = kafka ? await publishedByKafka(kafka) : await publishedByJetStream(total);
  const publishedBy = Map.groupBy(published, ({ name }) => name);
  for (const [name, versions] of expected) expect(publishedBy.get(name)!.map(row => row.version)).toEqual(versions);
}

interface PublishedEvent {
  readonly name: string;
  readonly version: number;
}

/** JetStream keeps each event once. */
async function publishedByJetStream(total: number): Promise<PublishedEvent[]> {
  const nats = await connect({ servers: cluster.nats.url });
  const { streams } = await nats.jetstreamManager();
  const count = async () => (await streams.info("EVENTS=tallies")).state.messages;
  await until("all is published", async () => (await count()) >= total);
  expect(await count()).toBe(total);
  const messages: PublishedEvent[] = [];
  const consumer = await nats.jetstream().consumers.get("EVENTS=tallies");
  for await (const message of await consumer.fetch({ max_messages: total, expires: 10_000 })) {
    const { event } = message.json<{ event: { stream: string; version: number } }>();
    messages.push({ name: `tally.${event.stream}`, version: event.version });
  }
  await nats.close();
  return messages;
}

/** A topic may have an event twice, and a reader drops the second by its id. */
async function publishedByKafka(kafka: Kafka): Promise<PublishedEvent[]> {
  await until("all is published", async () => {
    const { relay } = await cluster.caller.call<{ relay: { lagEvents: number } }>("tallies.relay");
    return relay.lagEvents === 0;
  });
  const ids = (await kafka.consume("tallies")).map(({ headers }) => headers!["ce_id"]!);
  return [...new Set(ids)].map(id => {
    const [name, version] = id.split("@") as [string, string];
    return { name, version: Number(version) };
  });
}

test.each([
  ["relay", "tallies", "work/relay/0/16"],
  ["consumer", "readers", "writer/0/16"],
])(
  "P4 the holder of the %s is paused past its lease and wakes: every event is applied once, in order, and published once",
  async (_, service, lease) => {
    const load = cluster.load(6, 20);
    await until("a node holds the lease", () => holderOf(service, lease) !== undefined);
    await until("events are applied", () => rows("readers", "select * from applied limit 100").length === 100);
    const paused = holderOf(service, lease)!;
    await pause(paused);
    await until("another node has taken the lease", () => ![paused, undefined].includes(holderOf(service, lease)));
    const [{ count }] = rows<{ count: number }>("readers", "select count(*) as count from applied") as [
      { count: number },
    ];
    await until(
      "events flow without it",
      () => rows("readers", `select * from applied limit ${count + 100}`).length === count + 100,
    );
    cluster.signal(paused, "SIGCONT");
    await until("it is back", () => cluster.live().length === 2);
    await load.stop();

    await allAppliedAndPublished();
  },
);

/** Ids of the nodes that publish the log, by partition. */
async function publishers(): Promise<(string | null)[]> {
  const { relay } = await cluster.caller.call<{ relay: { partitions?: { owner: string | null }[] } }>("tallies.relay");
  return (relay.partitions ?? []).map(({ owner }) => owner);
}

test("P4 three nodes publish a part of the log each; one is killed: the others publish its part too, in order, and nothing twice", async () => {
  const third = await cluster.join({ READERS: "1" });
  const load = cluster.load(6, 20);
  await until("three nodes publish", async () => {
    const owners = await publishers();
    return !owners.includes(null) && new Set(owners).size === 3;
  });
  const before = rows("readers", "select * from applied").length;
  await until("events are applied", () => rows("readers", "select * from applied").length > before + 200);
  await cluster.end(third, "SIGKILL");
  await until("two nodes publish", async () => {
    const owners = await publishers();
    return !owners.includes(null) && !owners.includes(third);
  });
  const then = rows("readers", "select * from applied").length;
  await until("events are applied without it", () => rows("readers", "select * from applied").length > then + 200);
  await load.stop();
  await allAppliedAndPublished();
});
