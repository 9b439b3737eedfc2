// @slow: it takes minutes, and begins first.
import { setTimeout as wait } from "node:timers/promises";
import { addShards } from "../../../database/siblings.ts";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { until } from "../../../testing/index.ts";
import { Child, newDatabase, postgresUrl, query } from "../../../testing/servers.ts";
import { bucketOf } from "../../buckets.ts";
import { appendOf, eventStoreConformance, subjectAt, verdictOf } from "../../event-store.conformance.ts";
import type { EventStore } from "../../event-store.ts";
import { PlaceChecks } from "../../marks.ts";
import { openEventStore } from "../../open.ts";
import { leftBehind } from "./reshard.fixture.ts";
import { rebalance, type Progress } from "./reshard.ts";
import type { PostgresLocation } from "../../../database/index.ts";

const SCHEMA = "things";
const at = (...shards: string[]): PostgresLocation => ({
  kind: "postgres",
  shards,
  replica: undefined,
  schema: SCHEMA,
  poolSize: 4,
});
type TestDatabase = Awaited<ReturnType<typeof newDatabase>>;
const newDatabases = (count: number): Promise<TestDatabase[]> =>
  Promise.all(Array.from({ length: count }, () => newDatabase(postgresUrl())));

eventStoreConformance({
  name: "two shards of Postgres",
  isSharded: true,
  async open() {
    const databases = await newDatabases(2);
    const location = at(...databases.map(({ url }) => url));
    return subjectAt(location, () => Promise.all(databases.map(database => database.drop())));
  },
});

let databases: TestDatabase[];
const stores: EventStore[] = [];
const openStore = async (...shards: string[]): Promise<EventStore> => {
  const store = await openEventStore(at(...shards));
  stores.push(store);
  return store;
};
/** Three new databases for each test of a block; the conformance suite has its own. */
function onThreeDatabases(): void {
  beforeEach(async () => {
    databases = await newDatabases(3);
  });
  afterEach(async () => {
    await Promise.all(stores.splice(0).map(store => store.close()));
    await Promise.all(databases.map(database => database.drop()));
  });
}
const urls = (...indexes: number[]): string[] => indexes.map(i => databases[i]!.url);
const tables = async (url: string): Promise<number> =>
  (await query(url, "select from pg_tables where schemaname = $1", [SCHEMA])).length;

describe("which databases make up a store", () => {
  onThreeDatabases();

  test("the order in which they are named means nothing", async () => {
    const store = await openStore(...urls(0, 1, 2));
    await Promise.all(Array.from({ length: 30 }, (_, i) => verdictOf(store, appendOf(`thing.${i}`, 0))));
    const again = await openStore(...urls(2, 0, 1));
    for (let i = 0; i < 30; i++) expect((await again.load(`thing.${i}`, 1)).version).toBe(1);
    const counts = await Promise.all(urls(0, 1, 2).map(url => query(url, `select from ${SCHEMA}.streams`)));
    expect(Math.min(...counts.map(rows => rows.length))).toBeGreaterThan(0);
  });

  test("one that is missing is found at the start", async () => {
    await openStore(...urls(0, 1, 2));
    await expect(openStore(...urls(0, 2))).rejects.toMatchObject({ type: "SHARD_MISSING" });
    await expect(openStore(...urls(1))).rejects.toMatchObject({ type: "SHARD_MISSING" });
  });

  test("one that is new, of another store, or named twice is found at the start, and nothing is written to it", async () => {
    await openStore(...urls(0));
    await openStore(...urls(1));
    await expect(openStore(...urls(0, 2))).rejects.toMatchObject({ type: "SHARD_UNKNOWN" });
    expect(await tables(databases[2]!.url)).toBe(0);
    await expect(openStore(...urls(0, 1))).rejects.toMatchObject({ type: "SHARD_UNKNOWN" });
    await expect(openStore(...urls(0, 0))).rejects.toMatchObject({ type: "SHARD_TWICE" });
  });

  test("starts that meet on empty databases, in any order, make one store", async () => {
    const opened = await Promise.all([urls(0, 1, 2), urls(2, 1, 0), urls(1, 0, 2)].map(list => openStore(...list)));
    await verdictOf(opened[0]!, appendOf("thing.1", 0));
    expect((await opened[2]!.load("thing.1", 1)).version).toBe(1);
  });
});

describe("resharding", () => {
  onThreeDatabases();

  const STREAMS = 60;
  /** A group of buckets moves in a tenth of a second: each stream changes several times meanwhile. */
  const BETWEEN_COMMANDS_MS = 20;
  /** Commands on all streams until told to stop; each under its id until it is answered. */
  function load(store: EventStore) {
    const state = { isOver: false, commands: 0 };
    const callers = Array.from({ length: STREAMS }, async (_, i) => {
      const stream = `thing.${i}`;
      let { version } = await store.load(stream, 1);
      while (!state.isOver) {
        const command = appendOf(stream, version, { answer: `"${version + 1}"` });
        for (;;) {
          const verdict = await verdictOf(store, { ...command, expectedVersion: version });
          if (verdict.kind === "ok" || verdict.kind === "duplicate") break;
          expect(["fenced", "conflict"]).toContain(verdict.kind);
          ({ version } = await store.load(stream, 1));
        }
        version += 1;
        state.commands += 1;
        await wait(BETWEEN_COMMANDS_MS);
      }
      return { stream, version };
    });
    return async () => {
      state.isOver = true;
      return Promise.all(callers);
    };
  }
  const owned = async (url: string): Promise<number> =>
    (await query(url, `select from ${SCHEMA}.buckets where state = 'owned'`)).length;

  test("P1 P2 P3 buckets move to a new database while commands keep coming: nothing is lost, doubled or torn", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    await (await openStore(a)).close();
    await addShards(at(a, b));
    const store = await openStore(a, b);
    const first = appendOf("thing.first", 0, {
      answer: '"first"',
      timers: [{ set: "t", afterMs: 0, command: "c", params: "{}" }],
    });
    await verdictOf(store, first);
    await store.saveSnapshot("thing.first", { version: 1, schema: 1, state: "{}" });
    await verdictOf(store, appendOf("thing.saga", 0, { saga: { id: "saga-1", state: "running", reason: null } }));
    const stop = load(store);
    await wait(200);
    const progress: Progress[] = [];
    expect(await rebalance(at(b, a), step => progress.push(step))).toBe(512);
    const reached = await stop();
    expect(progress.at(-1)).toMatchObject({ moved: 512, total: 512 });
    expect([await owned(a), await owned(b)]).toEqual([512, 512]);
    for (const { stream, version } of reached) {
      expect(version).toBeGreaterThan(2);
      expect((await store.readStream(stream, 1, 1_000)).map(event => event.version)).toEqual(
        Array.from({ length: version }, (_, n) => n + 1),
      );
    }
    // Each row lies on one side only, the one that owns its bucket.
    const names = await Promise.all(
      [a, b].map(url => query(url, `select name from ${SCHEMA}.streams where version > 0`)),
    );
    expect(names.flat().length).toBe(STREAMS + 2);
    expect(await verdictOf(store, { ...first, expectedVersion: 9 })).toMatchObject({
      kind: "duplicate",
      first: { answer: '"first"' },
    });
    expect((await store.dueTimers(10)).due.map(({ id }) => id)).toEqual(["t"]);
    expect((await store.load("thing.first", 1)).snapshot).toMatchObject({ version: 1 });
    expect((await store.sagas({ limit: 10 })).map(({ id }) => id)).toEqual(["saga-1"]);
  });

  test("P4 a reader of everything misses nothing of what moves, in order of version by stream", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    await (await openStore(a)).close();
    await addShards(at(a, b));
    const store = await openStore(a, b);
    const stop = load(store);
    const heads = new Map<string, number>();
    let cursor = "";
    const read = async () => {
      const page = await store.readAll(cursor, 100);
      cursor = page.cursor;
      for (const { stream, version } of page.events) {
        const head = heads.get(stream) ?? 0;
        // Once more from the new owner; a consumer ignores what it has.
        if (version > head + 1) throw new Error(`${stream} goes from ${head} to ${version}`);
        heads.set(stream, Math.max(head, version));
      }
      return page.events.length;
    };
    const state = { isDone: false };
    const moving = rebalance(at(a, b)).finally(() => (state.isDone = true));
    while (!state.isDone) await read();
    await moving;
    const reached = await stop();
    // Transactions of others on the same server may hold the last ones back for a while.
    const isAll = () => reached.every(({ stream, version }) => heads.get(stream) === version);
    for (const end = Date.now() + 10_000; !isAll() && Date.now() < end; await wait(10)) await read();
    for (const { stream, version } of reached) expect(heads.get(stream)).toBe(version);
  });

  test("P4 a place stays in the log when its last event moves", async () => {
    const store = await openStore(...urls(0));
    await Promise.all(Array.from({ length: 40 }, (_, i) => verdictOf(store, appendOf(`thing.${i}`, 0))));
    // A place after each event: some of them move.
    const places: { cursor: string; mark?: string | undefined }[] = [];
    for (let cursor = ""; places.length < 40;) {
      const page = await store.readAll(cursor, 1);
      if (page.events.length > 0) places.push(page);
      cursor = page.cursor;
    }
    await addShards(at(...urls(0, 1)));
    await rebalance(at(...urls(0, 1)), () => {});
    const sharded = await openStore(...urls(0, 1));
    const checks = new PlaceChecks(sharded);
    for (const { cursor, mark } of places) expect(await checks.faultOf(cursor, mark)).toBeUndefined();
  });

  test("an interrupted move goes on where it was, from every step", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    const store = await openStore(a);
    for (let i = 0; i < 40; i++) await verdictOf(store, appendOf(`thing.${i}`, 0));
    await addShards(at(a, b));
    const [sealed, owned, marked] = ["thing.0", "thing.1", "thing.2"].map(bucketOf);
    await (await openStore(a, b)).close();
    const set = (url: string, bucket: number, values: string) =>
      query(url, `update ${SCHEMA}.buckets set ${values} where bucket = ${bucket}`);
    await set(a, marked!, "moving_to = 1");
    await set(a, sealed!, "moving_to = 1, state = 'sealed'");
    // Killed between the target's word and the source's: its rows are there already.
    await rebalance(at(a, b));
    await set(a, owned!, "moving_to = 1, state = 'sealed'");
    await rebalance(at(a, b));
    const both = await openStore(a, b);
    for (let i = 0; i < 40; i++) expect((await both.load(`thing.${i}`, 1)).version).toBe(1);
    const left = await query(a, `select from ${SCHEMA}.buckets where moving_to is not null or state = 'sealed'`);
    expect(left).toEqual([]);
  });

  test("rows that are too long for one statement go in several", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    const store = await openStore(a);
    await addShards(at(a, b));
    const moving = Array.from({ length: 4_000 }, (_, i) => `thing.${i}`).filter(stream => bucketOf(stream) === 1_023);
    const [one, two] = moving.slice(0, 2) as [string, string];
    const state = JSON.stringify("x".repeat(9_000_000));
    for (const stream of [one, two]) {
      await verdictOf(store, appendOf(stream, 0));
      await store.saveSnapshot(stream, { version: 1, schema: 1, state });
    }
    await (await openStore(a, b)).close();
    await rebalance(at(a, b));
    const both = await openStore(a, b);
    for (const stream of [one, two]) expect((await both.load(stream, 1)).snapshot?.state).toBe(state);
    expect((await query(b, `select from ${SCHEMA}.snapshots`)).length + (await owned(a))).toBe(514);
  });

  /** `npm run reshard` as a process; `things` is as good as a service to it. */
  const reshardOf = (shards: readonly string[], failpoints = ""): Child =>
    new Child(["mixins/cli/valence.mjs", "reshard", SCHEMA], {
      THINGS_DATABASE_URL: shards.join(","),
      FAILPOINTS: failpoints,
    });

  test("P1 killed while the source's rows go, the next run removes the rest", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    const store = await openStore(a);
    const streams = Array.from({ length: 300 }, (_, i) => `thing.${i}`);
    await Promise.all(streams.map(stream => verdictOf(store, appendOf(stream, 0))));
    await addShards(at(a, b));
    const killed = reshardOf([a, b], "reshard:moved=kill#2");
    await until("it is killed", () => !killed.running);
    expect([killed.process.signalCode, killed.output]).toEqual(["SIGKILL", expect.stringContaining("reshard:moved")]);
    await rebalance(at(a, b));
    expect([await owned(a), await owned(b)]).toEqual([512, 512]);
    expect([await leftBehind(a, SCHEMA), await leftBehind(b, SCHEMA)]).toEqual([[], []]);
    const both = await openStore(a, b);
    for (const stream of streams) expect((await both.load(stream, 1)).version).toBe(1);
  });

  test("P1 a run waits until nothing of a killed one is at work on any server: a target would become owner behind its back", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    const store = await openStore(a);
    await verdictOf(store, appendOf("thing.0", 0));
    await addShards(at(a, b));
    await openStore(a, b);
    const holder = new pg.Client(b);
    await holder.connect();
    await holder.query(`begin; select from ${SCHEMA}.buckets for update`);
    const toOwn = async (): Promise<number[]> =>
      (
        await query(
          b,
          "select pid from pg_locks join pg_stat_activity using (pid) where not granted and query like 'update buckets b%'",
        )
      ).map(({ pid }) => pid);
    const killed = reshardOf([a, b]);
    await until("its word to the target waits", async () => (await toOwn()).length === 1);
    const [left] = await toOwn();
    await killed.end("SIGKILL");
    expect(await toOwn()).toEqual([left]);
    const next = rebalance(at(a, b));
    await until("the next one's word waits alone", async () => {
      const waiting = await toOwn();
      expect(waiting.length).toBeLessThan(2);
      return waiting.length === 1 && waiting[0] !== left;
    });
    await holder.end();
    await next;
    expect([await owned(a), await owned(b)]).toEqual([512, 512]);
  });

  test("a process starts while a killed run has left buckets sealed: only what lies in them waits", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    await verdictOf(await openStore(a), appendOf("thing.0", 0));
    await addShards(at(a, b));
    await (await openStore(a, b)).close();
    await query(
      a,
      `update ${SCHEMA}.buckets set state = 'sealed', moving_to = 1 where bucket = ${bucketOf("thing.0")}`,
    );
    const store = await openStore(a, b);
    expect(await verdictOf(store, appendOf("thing.1", 0))).toMatchObject({ kind: "ok" });
    expect(await verdictOf(store, appendOf("thing.0", 1))).toMatchObject({ kind: "fenced" });
    await expect(store.load("thing.0", 1)).rejects.toMatchObject({ type: "BUCKET_MOVED" });
    await rebalance(at(a, b));
    expect((await store.load("thing.0", 1)).version).toBe(1);
    await query(b, `update ${SCHEMA}.buckets set state = 'moved'`);
    await expect(openStore(a, b)).rejects.toMatchObject({ type: "STORE_INCOMPLETE" });
  });

  test("P1 what is written beside appends waits for the new owner: a sealed bucket stays as it was counted", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    await (await openStore(a)).close();
    await addShards(at(a, b));
    const store = await openStore(a, b);
    const timer = { set: "t", afterMs: 0, command: "c", params: "{}" };
    await verdictOf(store, appendOf("thing.0", 0, { timers: [timer] }));
    const [due] = (await store.dueTimers(1)).due;
    const set = (state: string) =>
      query(a, `update ${SCHEMA}.buckets set state = '${state}' where bucket = ${bucketOf("thing.0")}`);
    const written = () =>
      query(a, `select id, (select count(*)::int from ${SCHEMA}.snapshots) as snapshots from ${SCHEMA}.timers`);
    await set("sealed");
    const writes = Promise.all([
      store.saveSnapshot("thing.0", { version: 1, schema: 1, state: "{}" }),
      store.deleteTimer(due!),
    ]);
    // A neighbour of the batch goes on.
    expect(await verdictOf(store, appendOf("thing.1", 0))).toMatchObject({ kind: "ok" });
    expect(await Promise.race([writes, wait(500, "waiting")])).toBe("waiting");
    expect(await written()).toEqual([{ id: "t", snapshots: 0 }]);
    await set("owned");
    await writes;
    expect(await query(a, `select state from ${SCHEMA}.snapshots`)).toEqual([{ state: "{}" }]);
    expect(await written()).toEqual([]);
  });

  test("differing rows are not dropped: the buckets stay where they were, and the error names the difference", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    const store = await openStore(a);
    await verdictOf(store, appendOf("thing.0", 0));
    await addShards(at(a, b));
    const other = await openStore(a, b);
    // Another writer put rows on the target that the source does not have.
    await query(
      b,
      `insert into ${SCHEMA}.streams (name, bucket, version) select 'thing.foreign-' || bucket, bucket, 3 from ${SCHEMA}.buckets`,
    );
    await expect(rebalance(at(a, b))).rejects.toMatchObject({ type: "RESHARD_DIFFERS" });
    expect((await other.load("thing.0", 1)).version).toBe(1);
    expect(await query(a, `select from ${SCHEMA}.buckets where state <> 'owned'`)).toEqual([]);
  });

  /** Streams of the first group of buckets that moves from `a` to `b`. */
  const movingFirst = (count: number): string[] =>
    Array.from({ length: 4_000 }, (_, i) => `thing.${i}`)
      .filter(stream => bucketOf(stream) >= 512 && bucketOf(stream) < 528)
      .slice(0, count);
  /** From now on the database changes what is written into a table: one character, one number. Undone by what it answers. */
  async function tamper(url: string, table: string, change: string, condition = "true"): Promise<() => Promise<void>> {
    const run = (...statements: string[]) => query(url, [`set search_path = ${SCHEMA}`, ...statements].join("; "));
    await run(
      `create function tamper() returns trigger language plpgsql as $$ begin ${change}; return new; end $$`,
      `create trigger tamper before insert on ${table} for each row when (${condition}) execute function tamper()`,
    );
    return async () =>
      void (await run(
        "drop function tamper() cascade",
        "truncate streams, events, archived_events, commands, snapshots, timers, sagas",
      ));
  }

  test("copies are compared by content: one differing character of any column, and the buckets stay where they were", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    const store = await openStore(a);
    const [one, cold] = movingFirst(2) as [string, string];
    const timers = [{ set: "t", afterMs: 60_000, command: "c", params: "{}" }];
    const saga = { id: "saga-1", state: "stuck", reason: "because" } as const;
    await verdictOf(store, appendOf(one, 0, { answer: '"first"', timers, saga }));
    await store.saveSnapshot(one, { version: 1, schema: 1, state: "{}" });
    await verdictOf(store, appendOf(cold, 0));
    await store.archive(cold, 1);
    await addShards(at(a, b));
    const both = await openStore(a, b);
    const texts: Record<string, readonly string[]> = {
      events: ["type", "data", "metadata"],
      archived_events: ["data"],
      commands: ["kind", "fingerprint", "answer"],
      snapshots: ["state"],
      timers: ["id", "command", "params"],
      sagas: ["id", "state", "reason"],
    };
    const numbers: Record<string, readonly string[]> = {
      streams: ["archived_at"],
      events: ["schema_version", "recorded_at"],
      commands: ["version"],
      snapshots: ["schema"],
      timers: ["due_at", "next_at", "attempts"],
      sagas: ["started_at", "updated_at"],
    };
    const changes = [
      ...Object.entries(texts).flatMap(([table, columns]) =>
        columns.map(column => [table, `new.${column} = overlay(new.${column} placing '#' from length(new.${column}))`]),
      ),
      ...Object.entries(numbers).flatMap(([table, columns]) =>
        columns.map(column => [table, `new.${column} = new.${column} + 1`]),
      ),
    ] as [string, string][];
    for (const [table, change] of changes) {
      const undo = await tamper(b, table, change);
      const failure = await rebalance(at(a, b)).catch((error: unknown) => error);
      expect([table, change, failure]).toEqual([
        table,
        change,
        expect.objectContaining({ type: "RESHARD_DIFFERS", message: expect.stringContaining(`${table} of thing.`) }),
      ]);
      expect([table, change, failure]).toEqual([
        table,
        change,
        expect.objectContaining({ message: expect.stringMatching(/has (\d+) rows.* has \1 of other content/) }),
      ]);
      await undo();
    }
    expect(await query(a, `select from ${SCHEMA}.buckets where state <> 'owned' or moving_to is not null`)).toEqual([]);
    expect(await leftBehind(a, SCHEMA)).toEqual([]);
    await rebalance(at(a, b));
    expect((await both.load(one, 1)).snapshot).toMatchObject({ state: "{}" });
  });

  test.each([
    ["events", "new.data = overlay(new.data placing '#' from 2)", "new.version = 2"],
    ["commands", "new.answer = '\"seconx\"'", "new.answer = '\"second\"'"],
    ["snapshots", "new.state = '[]'", "new.version = 2"],
  ])(
    "what came after the copy is compared by what it says as well, in the seal: %s",
    async (table, change, condition) => {
      const [a, b] = urls(0, 1) as [string, string];
      const store = await openStore(a);
      const [stream] = movingFirst(1) as [string];
      await verdictOf(store, appendOf(stream, 0));
      await addShards(at(a, b));
      const both = await openStore(a, b);
      const undo = await tamper(b, table, change, condition);
      const moving = reshardOf([a, b], "reshard:copied=sleep(1500)#1");
      await until("the stream is copied", async () => (await query(b, `select from ${SCHEMA}.events`)).length === 1);
      await wait(500);
      await verdictOf(both, appendOf(stream, 1, { answer: '"second"' }));
      await both.saveSnapshot(stream, { version: 2, schema: 1, state: "{}" });
      await until("it ends", () => !moving.running);
      expect([moving.process.exitCode, moving.output]).toEqual([1, expect.stringContaining(`${table} of ${stream}`)]);
      // It had been sealed, and takes commands again.
      expect(
        await query(a, `select epoch, state from ${SCHEMA}.buckets where bucket = $1`, [bucketOf(stream)]),
      ).toEqual([{ epoch: 2, state: "owned" }]);
      expect(await verdictOf(both, appendOf(stream, 2))).toMatchObject({ kind: "ok" });
      await undo();
      await rebalance(at(a, b));
      expect((await both.load(stream, 1)).version).toBe(3);
    },
  );

  test("P1 P3 every change of a stream between its copy and the seal arrives", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    const store = await openStore(a);
    const [kept, cold, asked, ill, born] = movingFirst(5) as [string, string, string, string, string];
    const timer = (id: string) => ({ set: id, afterMs: 0, command: "c", params: "{}" });
    const saga = { id: "saga-1", reason: null } as const;
    const timers = [timer("answered"), timer("postponed"), timer("cancelled")];
    await verdictOf(store, appendOf(kept, 0, { timers, saga: { ...saga, state: "running" } }));
    for (const stream of [cold, asked, ill]) await verdictOf(store, appendOf(stream, 0));
    await store.saveSnapshot(cold, { version: 1, schema: 1, state: "{}" });
    await addShards(at(a, b));
    const both = await openStore(a, b);
    const moving = reshardOf([a, b], "reshard:copied=sleep(2000)#1");
    await until("all is copied", async () => (await query(b, `select from ${SCHEMA}.events`)).length === 4);
    await wait(500);
    const { due } = await both.dueTimers(10);
    const of = (id: string) => due.find(timer => timer.id === id)!;
    await Promise.all([both.deleteTimer(of("answered")), both.postponeTimer(of("postponed"), 60_000)]);
    const changed = { timers: [{ cancel: "cancelled" }, timer("new")], saga: { ...saga, state: "stuck" } as const };
    await verdictOf(both, appendOf(kept, 1, changed));
    await both.saveSnapshot(kept, { version: 2, schema: 1, state: "[]" });
    await both.archive(cold, 1);
    // Without an event: only the id is new.
    const refused = appendOf(asked, 1, { events: [], answer: '"refused"' });
    await verdictOf(both, refused);
    await both.quarantine(ill, "ill");
    await verdictOf(both, appendOf(born, 0));
    expect((await query(b, `select from ${SCHEMA}.buckets where state = 'owned'`)).length).toBe(0);
    await until("it ends", () => !moving.running);
    expect([moving.process.exitCode, moving.output]).toEqual([0, expect.stringContaining("moved and verified")]);
    const ids = (await both.dueTimers(10)).due.map(({ id }) => id);
    expect(ids).toEqual(["new"]);
    expect(await query(b, `select id, attempts from ${SCHEMA}.timers order by id`)).toEqual([
      { id: "new", attempts: 0 },
      { id: "postponed", attempts: 1 },
    ]);
    expect(await both.load(kept, 1)).toMatchObject({ version: 2, snapshot: { state: "[]" } });
    expect(await both.sagas({ limit: 10 })).toMatchObject([{ id: "saga-1", state: "stuck" }]);
    expect(await both.load(cold, 1)).toMatchObject({ version: 1, archived: true, snapshot: undefined });
    expect(await query(b, `select from ${SCHEMA}.archived_events`)).toHaveLength(1);
    expect(await both.findCommand(asked, refused.commandId!)).toMatchObject({ answer: '"refused"' });
    expect(await both.load(ill, 1)).toMatchObject({ quarantine: "ill" });
    expect(await both.load(born, 1)).toMatchObject({ version: 1 });
    expect([await leftBehind(a, SCHEMA), await leftBehind(b, SCHEMA)]).toEqual([[], []]);
  });

  test("P1 a change that was not noted, because the triggers were removed, keeps the buckets where they are", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    const store = await openStore(a);
    const [stream] = movingFirst(1) as [string];
    await verdictOf(store, appendOf(stream, 0));
    await addShards(at(a, b));
    const both = await openStore(a, b);
    const moving = reshardOf([a, b], "reshard:copied=sleep(1500)#1");
    await until("it is copied", async () => (await query(b, `select from ${SCHEMA}.events`)).length === 1);
    await wait(500);
    for (const table of ["streams", "commands"]) await query(a, `alter table ${SCHEMA}.${table} disable trigger user`);
    await verdictOf(both, appendOf(stream, 1));
    await until("it ends", () => !moving.running);
    expect([moving.process.exitCode, moving.output]).toEqual([1, expect.stringContaining("versions")]);
    expect((await both.load(stream, 1)).version).toBe(2);
    await rebalance(at(a, b));
    expect((await both.load(stream, 1)).version).toBe(2);
  });

  test("while buckets are sealed nothing of their history is read, however long it is", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    const store = await openStore(a);
    const [quiet, busy] = movingFirst(2) as [string, string];
    for (const stream of [quiet, busy]) await verdictOf(store, appendOf(stream, 0));
    await addShards(at(a, b));
    await openStore(a, b);
    const moving = reshardOf([a, b], "reshard:copied=sleep(1500)#1");
    await until("they are copied", async () => (await query(b, `select from ${SCHEMA}.events`)).length === 2);
    await wait(500);
    // Readers of these buckets wait.
    const locks = await Promise.all(
      [a, b].map(async url => {
        const client = new pg.Client(url);
        await client.connect();
        const tables = ["events", "archived_events", "commands", "snapshots", "timers", "sagas"];
        await client.query(`begin; lock table ${tables.map(table => `${SCHEMA}.${table}`).join(", ")}`);
        return client;
      }),
    );
    await until("they are the target's", async () => {
      const of = `select state from ${SCHEMA}.buckets where bucket = $1`;
      return (await query(b, of, [bucketOf(quiet)]))[0].state === "owned";
    });
    await Promise.all(locks.map(client => client.end()));
    await until("it ends", () => !moving.running);
    expect([moving.process.exitCode, moving.output]).toEqual([0, expect.stringContaining("moved and verified")]);
  });

  test("P3 a command is found at the bucket's new owner by a node that still asks the old one, and never reported as not executed", async () => {
    const [a, b] = urls(0, 1) as [string, string];
    await (await openStore(a)).close();
    await addShards(at(a, b));
    const store = await openStore(a, b);
    const [stream] = movingFirst(1) as [string];
    const command = appendOf(stream, 0, { answer: '"first"' });
    await verdictOf(store, command);
    // The bucket's rows are gone here, and this store does not know yet.
    await rebalance(at(a, b));
    expect(await store.findCommand(stream, command.commandId!)).toMatchObject({ answer: '"first"' });
    expect(await store.findCommand(stream, "another")).toBeUndefined();
    await query(b, `update ${SCHEMA}.buckets set state = 'sealed' where bucket = $1`, [bucketOf(stream)]);
    await expect(store.findCommand(stream, "another")).rejects.toMatchObject({ type: "BUCKET_MOVED" });
  });
});
