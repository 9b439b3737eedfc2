// Durable commands on Postgres (fsync and synchronous_commit on), through `broker.call` with validation, tracking and
// time-outs on and the relay running: what commands.ts measures on SQLite. Beside them, in the same run, a bare loop that
// inserts the same rows in batches of the same size. Then what a command costs as the store grows, in streams and in
// events; latency at half the maximum rate; and what an actor in memory takes.
//
//   node benchmarks/postgres.ts [--events 10000000] [--streams 1000000] [--seconds 15] [--runs 3]
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import pg from "pg";
import { bucketOf } from "../mixins/event-store/buckets.ts";
import { intArray, textArray } from "../mixins/event-store/dialects/postgres/arrays.ts";
import { ACTOR_LIMITS } from "../mixins/actor/siblings.ts";
import { newId } from "@valence/runtime/kernel";
import { newDatabase } from "@valence/runtime/testing/servers";
import { ACTORS, add, countersBroker, measureCommands } from "./counters.ts";
import { fdatasyncP50, openLoop, option, quantile, report, rounded, thousands } from "./harness.ts";
import { POSTGRES_SETTINGS, postgresVersion, withPostgres } from "./server.ts";

const eventsMax = option("events", 10_000_000);
const streamsMax = option("streams", 1_000_000);
const seconds = option("seconds", 15);
const runs = option("runs", 3);

/** Additional columns of a record of the counters, besides its event. */
const METADATA = '{"command":"add","params":{"by":1},"now":"2026-01-01T00:00:00.000Z"}';
/** Rows of one statement while tables are filled; each statement reports the progress. */
const CHUNK = 500_000;
/** Actors that get commands while the store grows: as many as the smallest store has. */
const WORKING_SET = 1_000;
const RESIDENT = 50_000;

const rows: Record<string, unknown>[] = [];
await withPostgres(async (server, folder) => {
  const onStore = async (store: Filling, work: (url: string) => Promise<void>): Promise<void> => {
    const database = await newDatabase(server.url());
    await fill(database.url, store);
    await work(database.url);
    await database.drop();
  };
  // Measured first: otherwise garbage of earlier work would be collected meanwhile, and the actors would look smaller.
  await onStore({ streams: 1, eventsEach: 1 }, async url => void rows.push(await memory(url)));
  await onStore({ streams: ACTORS, eventsEach: Math.ceil(eventsMax / 10 / ACTORS) }, async url => {
    const maximum = await commands(url);
    for (const connections of [1, 2])
      for (const batch of [64, 256]) {
        const name = `bare insert loop, batches of ${batch}, ${connections} in flight`;
        rows.push({ case: name, "per second": thousands(await bareInserts(url, batch, connections)) });
        console.log(rows.at(-1));
      }
    rows.push(await latencies(url, maximum / 2));
  });
  let first: number | undefined;
  for (let streams = WORKING_SET; streams <= streamsMax; streams *= 10)
    await onStore({ streams, eventsEach: 1 }, async url => {
      const name = `${WORKING_SET.toLocaleString("en")} actors of ${thousands(streams)} streams`;
      const perSecond = await commandsOf(url, name, streams, WORKING_SET);
      first ??= perSecond;
      rows.at(-1)!["cost"] = rounded(first / perSecond, 2);
    });
  const big = { streams: Math.max(ACTORS, eventsMax / 10), eventsEach: 10 };
  await onStore(big, async url => {
    const name = `${thousands(ACTORS)} actors, ${thousands(big.streams * big.eventsEach)} events in the table`;
    await commandsOf(url, name, big.streams, ACTORS);
  });
  rows.push({ case: "fdatasync of 4 kB, p50", ms: rounded(await fdatasyncP50(folder), 3) });
  await report("postgres", rows, { postgres: { version: await postgresVersion(server), ...POSTGRES_SETTINGS } });
});

/** Answers the rate of 256 callers over all actors. */
async function commands(url: string): Promise<number> {
  let maximum = 0;
  for (const [actors, name] of [
    [ACTORS, "5 000 actors"],
    [1, "one hot actor"],
  ] as const)
    for (const callers of [64, 256]) {
      const id = (n: number) => `c${n % actors}`;
      const asked = { name: `${name}, ${callers} callers`, id, callers, seconds, runs };
      const { row, perSecond } = await measureCommands(countersBroker({ DATABASE_URL: url }), asked);
      rows.push(row);
      if (actors === ACTORS && callers === 256) maximum = perSecond;
    }
  return maximum;
}

/** Commands to actors spread evenly over the streams. */
async function commandsOf(url: string, name: string, streams: number, actors: number): Promise<number> {
  const apart = Math.floor(streams / actors);
  const id = (n: number) => `c${(n % actors) * apart}`;
  const asked = { name: `${name}, 256 callers`, id, callers: 256, seconds, runs };
  const { row, perSecond } = await measureCommands(countersBroker({ DATABASE_URL: url }), asked);
  rows.push(row);
  return perSecond;
}

async function latencies(url: string, perSecond: number): Promise<Record<string, unknown>> {
  const broker = countersBroker({ DATABASE_URL: url });
  await broker.start();
  const call = (n: number) => add(broker, `c${n % ACTORS}`);
  await openLoop(perSecond, Math.min(3, seconds), call);
  const waits = await openLoop(perSecond, seconds * 2, call);
  await broker.stop();
  const row = {
    case: "5 000 actors, open loop (Poisson) at half the maximum rate",
    "per second": thousands(waits.length / (seconds * 2)),
    refused: waits.filter(wait => wait === Infinity).length,
    "p50 ms": rounded(quantile(waits, 0.5), 2),
    "p99 ms": rounded(quantile(waits, 0.99), 2),
    "p99.9 ms": rounded(quantile(waits, 0.999), 2),
  };
  console.log(row);
  return row;
}

/** Memory of an actor that has been loaded and has executed one command. */
async function memory(url: string): Promise<Record<string, unknown>> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const limits = { ...ACTOR_LIMITS, residentActors: RESIDENT * 2, idleMs: 3_600_000 };
  const broker = countersBroker({ DATABASE_URL: url }, {}, { limits });
  await broker.start();
  await add(broker, "c0");
  const before = used();
  let done = 0;
  await Promise.all(
    Array.from({ length: 256 }, async () => {
      while (done < RESIDENT) await add(broker, `c${++done}`);
    }),
  );
  const bytes = (used() - before) / done;
  await broker.stop();
  const row = { case: `memory of an actor, ${thousands(RESIDENT)} in memory`, bytes: Math.round(bytes) };
  console.log(row);
  return row;
}

interface Filling {
  readonly streams: number;
  readonly eventsEach: number;
}

/** Writes rows straight into the tables, as commands would have left them. */
async function fill(url: string, { streams, eventsEach }: Filling): Promise<void> {
  // This start makes the tables.
  const broker = countersBroker({ DATABASE_URL: url });
  await broker.start();
  await broker.stop();
  return connected(url, async client => {
    const events = streams * eventsEach;
    const each = Math.max(1, Math.floor(CHUNK / eventsEach));
    for (let from = 0; from < streams; from += each) {
      const names = Array.from({ length: Math.min(each, streams - from) }, (_, i) => `counter.c${from + i}`);
      await client.query(
        "insert into streams (name, bucket, version) select name, bucket, $3 from unnest($1::text[], $2::integer[]) t(name, bucket)",
        [textArray(names), intArray(names.map(bucketOf)), eventsEach],
      );
      // The database has given the ids in the order of the rows.
      const born = "from streams s, generate_series(1, $1::integer) v where s.id > $2 order by s.id, v";
      await client.query(
        `insert into events (stream, version, type, schema_version, data, metadata, recorded_at)
         select s.id, v, 'counter.added', 1, '{"by":1}', '${METADATA}', $3::bigint ${born}`,
        [eventsEach, from, Date.now()],
      );
      await client.query(
        `insert into commands (command_id, stream, version, kind, fingerprint)
         select 'auto:0190b0c2-7c9e-7d3a-a1f2-' || lpad(to_hex(s.id * $1 + v), 12, '0'), s.id, v, 'add', '' ${born}`,
        [eventsEach, from],
      );
      if (events > CHUNK)
        console.log(`filled ${thousands((from + names.length) * eventsEach)} of ${thousands(events)}`);
    }
    for (const table of ["streams", "events", "commands"]) await client.query(`vacuum analyze ${table}`);
    await client.query("checkpoint");
  });
}

/**
 * The rows of a command without a runtime, in the same tables after the runs above: event, command id, head of the
 * stream, in one statement a batch, each connection with its own streams. No runtime on this server can be faster.
 */
async function bareInserts(url: string, batch: number, connections: number): Promise<number> {
  const began = performance.now();
  const inserted = await Promise.all(
    Array.from({ length: connections }, (_, connection) =>
      connected(url, async client => {
        const { rows: streams } = await client.query<{ id: string; version: number }>(
          "select id, version from streams where id % $1 = $2",
          [connections, connection],
        );
        let n = 0;
        while (performance.now() - began < seconds * 1_000) {
          const chosen = Array.from({ length: batch }, () => {
            const stream = streams[n++ % streams.length]!;
            stream.version += 1;
            return stream;
          });
          await client.query(
            `with rows as (select * from unnest($1::integer[], $2::integer[], $3::text[]) t(stream, version, command)),
             event as (
               insert into events (stream, version, type, schema_version, data, metadata, recorded_at)
               select stream, version, 'counter.added', 1, '{"by":1}', $4, $5 from rows),
             command as (
               insert into commands select command, stream, version, 'add', '', null from rows)
           update streams set version = rows.version from rows where streams.id = rows.stream`,
            [
              intArray(chosen.map(({ id }) => Number(id))),
              intArray(chosen.map(({ version }) => version)),
              textArray(chosen.map(() => `auto:${newId()}`)),
              METADATA,
              Date.now(),
            ],
          );
        }
        return n;
      }),
    ),
  );
  return inserted.reduce((sum, n) => sum + n, 0) / ((performance.now() - began) / 1_000);
}

/** A connection to the counters' tables, for as long as the work takes. */
async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query("set search_path = counters");
    return await work(client);
  } finally {
    await client.end();
  }
}
