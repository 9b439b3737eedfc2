import { setTimeout as wait } from "node:timers/promises";
import { connectionOf } from "../../../database/siblings.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import pg from "pg";
import { until } from "../../../testing/index.ts";
import { newDatabase, Postgres, postgresUrl, Proxy, query } from "../../../testing/servers.ts";
import type { PostgresLocation } from "../../../database/index.ts";
import { outcomeOf } from "../../../kernel/index.ts";
import { appendOf, event, eventStoreConformance, subjectAt, verdictOf } from "../../event-store.conformance.ts";
import type { Append, EventStore, StoredEvent, Verdict } from "../../event-store.ts";
import { PlaceChecks } from "../../marks.ts";
import { openEventStore } from "../../open.ts";
import { restamp } from "./restamp.ts";
import { migrate } from "./schema.ts";

const SCHEMA = "things";
const at = (url: string): PostgresLocation => ({
  kind: "postgres",
  shards: [url],
  replica: undefined,
  schema: SCHEMA,
  poolSize: 4,
});
const openAt = (url: string): Promise<EventStore> => openEventStore(at(url));

eventStoreConformance({
  name: "Postgres",
  async open() {
    const database = await newDatabase(postgresUrl());
    return subjectAt(at(database.url), () => database.drop());
  },
});

let database: Awaited<ReturnType<typeof newDatabase>>;
const open: { close(): unknown }[] = [];
/** Closed after the test, last opened first. */
const closing = <T extends { close(): unknown }>(thing: T): T => {
  open.push(thing);
  return thing;
};
const openStore = async (url = database.url): Promise<EventStore> => closing(await openAt(url));
/** A session of another program, in the store's schema. */
async function session(): Promise<pg.Client> {
  const client = new pg.Client(connectionOf(database.url, { schema: SCHEMA }));
  client.on("error", () => {});
  await client.connect();
  closing({ close: () => client.end() });
  return client;
}
const everything = async (store: EventStore): Promise<string[]> => {
  const seen: StoredEvent[] = [];
  for (let cursor = ""; ;) {
    const page = await store.readAll(cursor, 1_000);
    if (page.events.length === 0) return seen.map(({ stream, version }) => `${stream}@${version}`);
    seen.push(...page.events);
    cursor = page.cursor;
  }
};
/** So many events at least: what others have under way on the same server may keep the newest from readers for a while. */
const allOf = (store: EventStore, events: number): Promise<string[]> =>
  until(async () => {
    const log = await everything(store);
    return log.length >= events && log;
  });
/** How many of the store's statements wait for a lock. */
const waiting = async (): Promise<number> =>
  (
    await query(
      database.url,
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%append_%'",
    )
  ).length;

/** A new database for each test of a block; the conformance suite has its own. */
function onADatabase(): void {
  beforeEach(async () => {
    database = await newDatabase(postgresUrl());
  });
  afterEach(async () => {
    for (const thing of open.splice(0).reverse()) await thing.close();
    await database.drop();
  });
}

describe("readers of everything", () => {
  onADatabase();

  /** Inserts an event as a transaction of its own that stays open. */
  async function lateCommitter(stream: string): Promise<{ commit(): Promise<unknown>; insert(): Promise<unknown> }> {
    const client = await session();
    await client.query("begin");
    await client.query("select pg_current_xact_id()");
    return {
      insert: () =>
        client.query(
          `with s as (insert into streams (name, bucket, version) values ($1, 0, 1) returning id)
           insert into events (stream, version, type, schema_version, data, metadata, recorded_at)
           select id, 1, 'thing.done', 1, '{}', '{}', 0 from s`,
          [stream],
        ),
      commit: () => client.query("commit"),
    };
  }

  /** Reads until so many events are there: what others have under way on the same server may hold them back for a while. */
  const read = (store: EventStore, events: number, from = "") =>
    until(async () => {
      const page = await store.readAll(from, 10);
      return page.events.length >= events && { cursor: page.cursor, streams: page.events.map(({ stream }) => stream) };
    });

  test("P5 a saga that changed before the clock was put back is in the list, as one that has long been still", async () => {
    const store = await openStore();
    await verdictOf(store, appendOf("thing.1", 0, { saga: { id: "s", state: "running", reason: null } }));
    const later = "started_at = started_at + 3600000, updated_at = updated_at + 3600000";
    await query(database.url, `update ${SCHEMA}.sagas set ${later}`);
    expect(await store.sagas({ limit: 10 })).toMatchObject([{ id: "s" }]);
    expect(await store.sagas({ olderThanMs: 60_000, limit: 10 })).toMatchObject([{ id: "s" }]);
  });

  test("P4 an event that was given its position early and commits late is not passed over", async () => {
    const store = await openStore();
    const late = await lateCommitter("thing.late");
    await late.insert();
    await verdictOf(store, appendOf("thing.early", 0));
    const before = await store.readAll("", 10);
    await late.commit();
    const after = await read(store, 2 - before.events.length, before.cursor);
    const seen = [...before.events.map(({ stream }) => stream), ...after.streams];
    expect(seen).toEqual(["thing.late", "thing.early"]);
  });

  test("P4 nor is one whose transaction began later, got its position earlier and is still under way", async () => {
    const store = await openStore();
    // The first has the smaller transaction id, the second the smaller position.
    const first = await lateCommitter("thing.first");
    const second = await lateCommitter("thing.second");
    await second.insert();
    await first.insert();
    await first.commit();
    const seen = await read(store, 1);
    expect(seen.streams).toEqual(["thing.first"]);
    await second.commit();
    expect((await read(store, 1, seen.cursor)).streams).toEqual(["thing.second"]);
  });

  test("P4 two nodes that append and one that reads: each event once, each stream in order", async () => {
    const [one, two, reader] = [await openStore(), await openStore(), await openStore()];
    const state = { isDone: false };
    const writers = [one, two].flatMap((store, node) =>
      Array.from({ length: 6 }, async (_, i) => {
        for (let version = 0; version < 40; version++)
          expect(await verdictOf(store, appendOf(`thing.${node}-${i}`, version))).toMatchObject({ kind: "ok" });
      }),
    );
    const written = Promise.all(writers).finally(() => (state.isDone = true));
    const heads = new Map<string, number>();
    let cursor = "";
    const read = async () => {
      const page = await reader.readAll(cursor, 50);
      cursor = page.cursor;
      for (const { stream, version } of page.events) {
        expect(`${stream}@${version}`).toBe(`${stream}@${(heads.get(stream) ?? 0) + 1}`);
        heads.set(stream, version);
      }
      return page.events.length;
    };
    while (!state.isDone) await read();
    await written;
    const isAll = () => heads.size === 12 && [...heads.values()].every(version => version === 40);
    await until(async () => (await read()) === 0 && isAll());
    expect([...heads.values()]).toEqual(Array.from({ length: 12 }, () => 40));
  });

  test("P4 a dump restored on a server of younger transactions is read again, also from a cursor of the old one", async () => {
    const before = await openStore();
    await verdictOf(before, appendOf("thing.1", 0, { events: [event(1), event(2)] }));
    await before.archive("thing.1", 2);
    await verdictOf(before, appendOf("thing.2", 0));
    await before.close();
    for (const table of ["events", "archived_events"])
      await query(database.url, `update ${SCHEMA}.${table} set xid = (xid::text::bigint + 1000000000)::text::xid8`);
    const restored = await openStore();
    await verdictOf(restored, appendOf("thing.2", 1));
    const from = await read(restored, 4);
    expect(from.streams).toEqual(["thing.1", "thing.1", "thing.2", "thing.2"]);
    expect((await read(restored, 4, "1000000900:2")).streams).toEqual(from.streams);
  });

  test("P4 of a restored dump nothing is hidden from a reader whose place this server could have given", async () => {
    const before = await openStore();
    for (const n of [1, 2, 3]) await verdictOf(before, appendOf(`thing.${n}`, 0));
    const { cursor } = await read(before, 1);
    await before.close();
    await query(
      database.url,
      `update ${SCHEMA}.events set xid = (xid::text::bigint + 1000000000)::text::xid8 where position > 1`,
    );
    expect((await read(await openStore(), 2, cursor)).streams).toEqual(["thing.2", "thing.3"]);
  });

  /** Forty events of four streams, as another server's dump brings them. */
  async function restoredDump(): Promise<string[]> {
    const before = await openStore();
    const streams = ["thing.1", "thing.2", "thing.3", "thing.4"];
    for (let version = 0; version < 10; version++)
      for (const stream of streams) await verdictOf(before, appendOf(stream, version));
    const log = await allOf(before, 40);
    await before.close();
    await query(database.url, `update ${SCHEMA}.events set xid = (xid::text::bigint + 1000000000)::text::xid8`);
    return log;
  }

  test("P4 a large dump that is restored is mended in spite of the time-out of statements, and it is said", async () => {
    const log = await restoredDump();
    const client = await session();
    await client.query(
      "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.02); return new; end $$",
    );
    await client.query("create trigger slow before update on events for each row execute function slow()");
    await client.query("set statement_timeout = 200");
    const told: string[] = [];
    await migrate(client, "here", message => told.push(message));
    expect(told).toEqual([
      expect.stringContaining("40 so far"),
      expect.stringContaining("40 events of a restored dump"),
    ]);
    expect((await client.query("show statement_timeout")).rows).toEqual([{ statement_timeout: "200ms" }]);
    expect(await allOf(await openStore(), log.length)).toEqual(log);
    // The next start has nothing to do.
    await migrate(client, "here", message => told.push(message));
    expect(told).toHaveLength(2);
  });

  test("P4 a start that is killed while it mends a dump has not worked for nothing: the next one goes on, in the log's order", async () => {
    const log = await restoredDump();
    const client = await session();
    const AHEAD = "select from events where xid > '1000000000'";
    const killed = restamp(
      client,
      () => {
        throw new Error("killed");
      },
      7,
    );
    await expect(killed).rejects.toThrow("killed");
    expect((await client.query(AHEAD)).rows).toHaveLength(33);
    // Two starts take turns.
    await Promise.all([restamp(client, undefined, 3), restamp(await session(), undefined, 4)]);
    expect((await client.query(AHEAD)).rows).toHaveLength(0);
    expect((await client.query("select distinct xid from events")).rows.length).toBeGreaterThan(5);
    expect(await allOf(await openStore(), log.length)).toEqual(log);
  });

  test("P4 a place is in a dump that was restored elsewhere if its last event is, and not in an older one", async () => {
    const before = await openStore();
    for (const n of [1, 2, 3]) await verdictOf(before, appendOf(`thing.${n}`, 0));
    const placeOf = async (events: number) => {
      await read(before, events);
      return before.readAll("", events);
    };
    const [common, place] = [await placeOf(2), await placeOf(3)];
    await before.close();
    // As from a server of younger transactions: the start gives the rows such of this one.
    await query(database.url, `update ${SCHEMA}.events set xid = (xid::text::bigint + 1000000000)::text::xid8`);
    const same = await openStore();
    expect(await new PlaceChecks(same).faultOf(place.cursor, place.mark)).toBeUndefined();
    await same.close();
    await query(database.url, `delete from ${SCHEMA}.events where stream = 3`);
    await query(database.url, `update ${SCHEMA}.streams set version = 0 where id = 3`);
    const older = await openStore();
    const faultOf = ({ cursor, mark }: typeof place) => new PlaceChecks(older).faultOf(cursor, mark);
    expect(await faultOf(place)).toMatch(/^thing\.3@1, .* is not in the log/);
    for (let version = 0; version < 4; version++) await verdictOf(older, appendOf("thing.3", version));
    expect(await faultOf(place)).toMatch(/^thing\.3@1, .* is another one in the log/);
    expect(await faultOf(common)).toBeUndefined();
  });

  test("an idle transaction of ours that holds readers up is ended by the server, and a long statement too", async () => {
    const { rows } = await (
      await session()
    ).query(
      "select name, setting::int from pg_settings where name in ('statement_timeout', 'idle_in_transaction_session_timeout')",
    );
    for (const { setting } of rows) expect(setting).toBeGreaterThan(0);
    expect(rows).toHaveLength(2);
  });
});

describe("others at the same time", () => {
  onADatabase();

  test("P3 a twin that commits while we wait for its stream is found: locked first, looked for afterwards", async () => {
    const store = await openStore();
    await verdictOf(store, appendOf("thing.1", 0));
    const other = await session();
    await other.query("begin");
    await other.query("update streams set version = 2 where name = 'thing.1'");
    const command = appendOf("thing.1", 1, { answer: '"second"' });
    await other.query(
      `insert into commands (command_id, stream, version, kind, fingerprint, answer)
       select $1, id, 2, 'do', 'f', '"first"' from streams where name = 'thing.1'`,
      [command.commandId],
    );
    const verdict = verdictOf(store, command);
    await until(waiting);
    await other.query("commit");
    expect(await verdict).toMatchObject({ kind: "duplicate", first: { answer: '"first"', version: 2 } });
  });

  test("P2 two nodes that append to the same streams in any order never wait for each other, and never both win", async () => {
    const nodes = [await openStore(), await openStore()];
    const streams = Array.from({ length: 12 }, (_, i) => `thing.${i}`);
    const wins = new Map<string, number>();
    for (let version = 0; version < 15; version++)
      await Promise.all(
        nodes.flatMap((store, node) =>
          (node === 0 ? streams : streams.toReversed()).map(async stream => {
            const verdict = await verdictOf(store, appendOf(stream, version));
            if (verdict.kind === "ok") wins.set(`${stream}@${version}`, (wins.get(`${stream}@${version}`) ?? 0) + 1);
            else expect(verdict.kind).toBe("conflict");
          }),
        ),
      );
    expect([...wins.values()]).toEqual(Array.from({ length: 12 * 15 }, () => 1));
  });

  test("P2 a bucket that is not ours any more fences its streams, and no others", async () => {
    const store = await openStore();
    await verdictOf(store, appendOf("thing.1", 0));
    const { bucket } = (await query(database.url, `select bucket from ${SCHEMA}.streams`))[0];
    await query(database.url, `update ${SCHEMA}.buckets set state = 'sealed' where bucket = $1`, [bucket]);
    const verdicts = await Promise.all([appendOf("thing.1", 1), appendOf("thing.2", 0)].map(a => verdictOf(store, a)));
    expect(verdicts.map(({ kind }) => kind)).toEqual(["fenced", "ok"]);
    expect(await verdictOf(store, appendOf("thing.1", 1, { commandId: undefined, events: [] }))).toEqual({
      kind: "fenced",
    });
    const reads = [store.load("thing.1", 1), store.readStream("thing.1", 1, 9), store.findCommand("thing.1", "x")];
    for (const { reason } of (await Promise.allSettled(reads)) as PromiseRejectedResult[])
      expect(reason).toMatchObject({ type: "BUCKET_MOVED", retryable: true });
  });

  test("stores that open at once on an empty database make their tables once", async () => {
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore()));
    expect(await verdictOf(stores[3]!, appendOf("thing.1", 0))).toMatchObject({ kind: "ok" });
  });

  test("a database of a newer release is left alone", async () => {
    await (await openStore()).close();
    await query(database.url, `insert into ${SCHEMA}.store_schema (version, applied_at) values (99, 0)`);
    await expect(openAt(database.url)).rejects.toMatchObject({ type: "STORE_SCHEMA_NEWER" });
    await query(database.url, `update ${SCHEMA}.store_schema set readable_from = 98 where version = 99`);
    await expect(openAt(database.url)).rejects.toMatchObject({ type: "STORE_SCHEMA_NEWER" });
  });

  test("a database of a later release that says that this one may go on is opened, and stays as it is", async () => {
    await (await openStore()).close();
    for (const table of ["events", "archived_events"])
      await query(database.url, `alter table ${SCHEMA}.${table} add column later text`);
    await query(
      database.url,
      `insert into ${SCHEMA}.store_schema select 99, 0, max(version) from ${SCHEMA}.store_schema`,
    );
    const store = await openStore();
    expect(await verdictOf(store, appendOf("thing.1", 0))).toMatchObject({ kind: "ok" });
    expect((await store.load("thing.1", 1)).events).toHaveLength(1);
    const [newest] = await query(database.url, `select max(version) as version from ${SCHEMA}.store_schema`);
    expect(newest).toEqual({ version: 99 });
  });
});

describe("a connection that is lost", () => {
  onADatabase();

  let proxy: Proxy;
  let store: EventStore;
  beforeEach(async () => {
    proxy = closing(await Proxy.to(database.url));
    store = await openStore(proxy.url(database.url));
    // Every lane has its connection by then.
    await settled(Array.from({ length: 8 }, (_, i) => appendOf(`thing.warm-${i}`, 0)));
  });
  /** A batch of two streams, one with a chain. */
  const batch = (): Append[] => [
    appendOf("thing.a", 0, { answer: '"a1"' }),
    appendOf("thing.a", 1, { answer: '"a2"' }),
    appendOf("thing.b", 0, { events: [event(1), event(2)] }),
  ];
  const settled = (appends: readonly Append[]): Promise<Verdict[]> =>
    Promise.all(appends.map(append => verdictOf(store, append)));

  test("P1 P3 at COMMIT, the reply swallowed: the batch is submitted again and found executed, once", async () => {
    const appends = batch();
    proxy.loseReplies();
    const verdicts = settled(appends);
    await until(async () => (await query(database.url, `select from ${SCHEMA}.events`)).length >= 8 + 4);
    proxy.heal();
    // Executed by the first submission, which nobody was told: each is a repetition of itself.
    expect(await verdicts).toMatchObject([
      { kind: "duplicate", first: { version: 1, answer: '"a1"' } },
      { kind: "duplicate", first: { version: 2, answer: '"a2"' } },
      { kind: "duplicate", first: { version: 2 } },
    ]);
    // Others' transactions on the same server hold readers up for a moment.
    const read = await until(async () => {
      const found = (await everything(store)).filter(id => /thing\.[ab]@/.test(id)).sort();
      return found.length >= 4 && found;
    });
    expect(read).toEqual(["thing.a@1", "thing.a@2", "thing.b@1", "thing.b@2"]);
  });

  test("P3 while the first submission is still under way, the second waits for it: never 'not there' a moment too early", async () => {
    const other = await session();
    await other.query("begin");
    await other.query("select from buckets for update");
    const appends = batch();
    proxy.resetAfterRequests();
    const verdicts = settled(appends);
    await until(waiting); // the first submission is inside the server, its client gone
    proxy.heal();
    await until(async () => (await waiting()) >= 2);
    await other.query("rollback");
    // Either of the two was first: the command was executed once.
    for (const { kind } of await verdicts) expect(["ok", "duplicate"]).toContain(kind);
    await until(async () => (await waiting()) === 0);
    expect(
      await query(database.url, `select version from ${SCHEMA}.streams where name in ('thing.a', 'thing.b')`),
    ).toEqual([{ version: 2 }, { version: 2 }]);
    expect(await query(database.url, `select from ${SCHEMA}.events`)).toHaveLength(8 + 4);
  });

  test("P2 nothing of the lane leaves before the outcome is known", async () => {
    const [first] = batch();
    proxy.loseReplies();
    const unknown = verdictOf(store, first!);
    await until(async () => (await query(database.url, `select from ${SCHEMA}.events`)).length >= 8 + 1);
    proxy.cut();
    const behind = verdictOf(store, appendOf("thing.a", 1));
    const order: string[] = [];
    void unknown.then(({ kind }) => order.push(`first ${kind}`));
    void behind.then(({ kind }) => order.push(`behind ${kind}`));
    await wait(300);
    expect(order).toEqual([]);
    proxy.heal();
    await Promise.all([unknown, behind]);
    // The append that stood on the lost one was withdrawn, never sent.
    expect(order).toEqual(["first duplicate", "behind conflict"]);
    expect((await store.load("thing.a", 1)).version).toBe(1);
  });

  test("P6 when nobody takes the connection nothing was sent: the outcome is none, and the next append goes through", async () => {
    proxy.cut();
    await wait(50);
    const verdict = await verdictOf(store, appendOf("thing.a", 0));
    expect(verdict.kind === "failed" && outcomeOf(verdict.error)).toBe("none");
    await expect(store.load("thing.a", 1)).rejects.toMatchObject({ type: "STORE_UNAVAILABLE", retryable: true });
    proxy.heal();
    expect(await verdictOf(store, appendOf("thing.a", 0))).toMatchObject({ kind: "ok", version: 1 });
  });

  test("a session that an operator ends is replaced", async () => {
    await query(
      database.url,
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    const verdicts = await settled(batch());
    for (const { kind } of verdicts) expect(["ok", "duplicate"]).toContain(kind);
    expect((await store.load("thing.b", 1)).version).toBe(2);
  });
});

describe("a server that restarts", () => {
  onADatabase();

  let server: Postgres;
  beforeAll(async () => {
    server = await Postgres.start();
  });
  afterAll(() => server.stop());

  test("P1 P3 every second, as if it crashed, under load: nothing acknowledged is lost, nothing is executed twice, nothing is stuck", async () => {
    const own = await newDatabase(server.url());
    const store = await openAt(own.url);
    const state = { isOver: false };
    const acknowledged = new Map<string, number>();
    const caller = async (stream: string): Promise<number> => {
      let commands = 0;
      for (let version = 0; !state.isOver; commands++) {
        const command = appendOf(stream, version);
        for (;;) {
          const verdict = await verdictOf(store, command);
          if (verdict.kind === "ok" || verdict.kind === "duplicate") {
            version = verdict.kind === "ok" ? verdict.version : verdict.first.version;
            acknowledged.set(stream, version);
            break;
          }
          // Withdrawn, or never sent; the same command again, as the caller would.
          expect(["conflict", "failed"]).toContain(verdict.kind);
          await wait(20);
        }
      }
      return commands;
    };
    const callers = Array.from({ length: 20 }, (_, i) => caller(`thing.${i}`));
    for (let i = 0; i < 4; i++) {
      await wait(1_000);
      await server.halt("SIGQUIT");
      await server.start();
    }
    await wait(500);
    state.isOver = true;
    const commands = await Promise.all(callers);
    for (const [i, count] of commands.entries()) {
      expect(acknowledged.get(`thing.${i}`)).toBe(count);
      expect((await store.load(`thing.${i}`, 1)).events.map(({ version }) => version)).toEqual(
        Array.from({ length: count }, (_, n) => n + 1),
      );
    }
    expect(Math.min(...commands)).toBeGreaterThan(10);
    await store.close();
  }, 60_000);
});
