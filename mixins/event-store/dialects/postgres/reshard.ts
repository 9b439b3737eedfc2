// Moves buckets to other shards while commands keep coming.
//
// Life of a move, a group of buckets at a time:
//   1. marked     the source remembers where they go; commands still commit there.
//   2. copied     streams, events, command ids, snapshots, timers, sagas. Nobody reads them on the target yet.
//   3. sealed     the source takes no more appends for them: whoever holds a share of a bucket's lock is waited for, and
//                 who comes later sees the seal. Appends are fenced until 6.
//   4. completed  what came since 2 is copied. Only what differs, so it takes milliseconds.
//   5. verified   counts and checksums of both sides are equal; else the buckets go back to the source, and it stops.
//   6. owned      by the target, under the next epoch; then moved, at the source. Its rows are removed, and then the mark.
// Killed at any point it goes on from there: the state of a bucket says how far it was. Copying again changes nothing.
//
// A stream is copied in order of version, and its place in the target's log is a new one: readers of the log meet it
// twice and know it by its versions.
import { setTimeout as sleep } from "node:timers/promises";
import pg, { type ClientBase } from "pg";
import { connectionOf, shardsOf, type Shard } from "../../../database/mixin.ts";
import { Bug, failpoint, type PostgresLocation } from "../../../kernel/index.ts";
import { BUCKETS } from "../../buckets.ts";
import { migrate } from "./schema.ts";

const limits = {
  /** Buckets that are sealed at once: a sixteenth of the store at most, for well under a second. */
  bucketsAtOnce: 16,
  /** Streams of one statement, and rows of one insert. */
  streams: 500,
  rows: 2_000,
  /** Characters of one insert, unless one row has more. */
  statementChars: 16_000_000,
  /** Milliseconds to wait for what a run that was killed has left at work on the servers, and between two looks. */
  predecessorMs: 10_000,
  lookMs: 100,
};

export interface Progress {
  readonly moved: number;
  readonly total: number;
  readonly from: string;
  readonly to: string;
  readonly events: number;
  /** Milliseconds that the buckets had no owner. */
  readonly sealedMs: number;
}

interface Side extends Shard {
  readonly client: pg.Client;
}
interface Move {
  readonly from: Side;
  readonly to: Side;
  readonly buckets: readonly number[];
}

/** Shares the buckets out evenly among the location's shards. Resolves with the number of buckets moved. */
export async function rebalance(
  location: PostgresLocation,
  onProgress: (progress: Progress) => void = () => {},
): Promise<number> {
  const sides: Side[] = [];
  try {
    for (const shard of await shardsOf(location)) {
      if (shard.isPooled)
        throw new Bug("RESHARD_POOLED", `${shard.place}: resharding needs a session of its own, not a pooler's`);
      const client = new pg.Client(connectionOf(shard.url, location));
      client.on("error", () => {}); // a connection that is lost rejects what waits for it
      await client.connect();
      sides.push({ ...shard, client });
      await migrate(client, shard.place);
      await client.query("set statement_timeout = 0");
      // A server that runs on Windows cannot look whether its client is still there.
      await client.query("set client_connection_check_interval = '1s'").catch(() => {});
    }
    await beAlone(sides);
    return await moveAll(sides, onProgress);
  } finally {
    await Promise.all(sides.map(({ client }) => client.end().catch(() => {})));
  }
}

/**
 * One at a time, whoever starts it. On every shard: when a run is killed, a statement of it may be at work on one of them
 * for a while. A target that becomes owner behind our back would take commands, and lose them to our next copy.
 */
async function beAlone(sides: readonly Side[]): Promise<void> {
  const until = performance.now() + limits.predecessorMs;
  for (const { client, place } of sides)
    for (; ; await sleep(limits.lookMs)) {
      // To wait in the server would be an open snapshot, for which the other's index would wait.
      const { rows } = await client.query(
        "select pg_try_advisory_lock(hashtext('reshard ' || current_schema)) as is_ours",
      );
      if (rows[0].is_ours) break;
      if (performance.now() > until)
        throw new Bug("RESHARD_RUNNING", `another reshard is at work on this store, at ${place}`);
    }
}

async function moveAll(sides: readonly Side[], onProgress: (progress: Progress) => void): Promise<number> {
  await settleInterrupted(sides);
  const moves = await plan(sides);
  const total = moves.reduce((sum, { buckets }) => sum + buckets.length, 0);
  const sources = [...new Set(moves.map(({ from }) => from))];
  // Rows are found by stream here and nowhere else: these indexes would only slow commands down.
  for (const { client } of sources) for (const table of INDEXED) await indexByStream(client, table);
  let moved = 0;
  for (const move of moves) {
    const { events, sealedMs } = await moveBuckets(move);
    moved += move.buckets.length;
    onProgress({ moved, total, from: move.from.place, to: move.to.place, events, sealedMs });
  }
  for (const { client } of sides)
    for (const table of INDEXED) await client.query(`drop index concurrently if exists ${table}_by_stream`);
  return moved;
}
const INDEXED = ["commands", "timers", "sagas"];

async function indexByStream(client: ClientBase, table: string): Promise<void> {
  const index = `${table}_by_stream`;
  // Killed while it was made, it is there and of no use.
  const { rows } = await client.query("select from pg_index where indexrelid = to_regclass($1) and not indisvalid", [
    index,
  ]);
  if (rows.length > 0) await client.query(`drop index concurrently ${index}`);
  await client.query(`create index concurrently if not exists ${index} on ${table} (stream)`);
}

/** What an interrupted run has left: a bucket owned by its target already only has to be taken leave of at the source. */
async function settleInterrupted(sides: readonly Side[]): Promise<void> {
  for (const from of sides) {
    const { rows } = await from.client.query(
      "select bucket, state, moving_to from buckets where moving_to is not null",
    );
    for (const to of sides) {
      const mine = rows.filter(row => row.moving_to === to.number);
      const owned = await ownedOf(
        to,
        mine.filter(row => row.state !== "owned").map(row => row.bucket),
      );
      await leave({ from, to, buckets: owned });
      const rest = mine.map(row => row.bucket as number).filter(bucket => !owned.includes(bucket));
      for (const buckets of inGroups(rest)) await moveBuckets({ from, to, buckets });
    }
  }
}

async function ownedOf({ client }: Side, buckets: readonly number[]): Promise<number[]> {
  const { rows } = await client.query("select bucket from buckets where bucket = any($1) and state = 'owned'", [
    buckets,
  ]);
  return rows.map(row => row.bucket);
}

/** From those that have too many to those that have too few. */
async function plan(sides: readonly Side[]): Promise<Move[]> {
  const share = (index: number): number =>
    Math.floor(BUCKETS / sides.length) + (index < BUCKETS % sides.length ? 1 : 0);
  const owned = await Promise.all(
    sides.map(async ({ client }) =>
      (await client.query("select bucket from buckets where state = 'owned' order by bucket")).rows.map(
        row => row.bucket as number,
      ),
    ),
  );
  const spare = sides.map((from, i) => ({ from, buckets: owned[i]!.slice(share(i)) }));
  const moves: Move[] = [];
  for (const [i, to] of sides.entries()) {
    let wanted = share(i) - owned[i]!.length;
    for (const { from, buckets } of spare) {
      if (wanted <= 0) break;
      const given = buckets.splice(0, wanted);
      wanted -= given.length;
      for (const group of inGroups(given)) moves.push({ from, to, buckets: group });
    }
  }
  return moves;
}

async function moveBuckets(move: Move): Promise<{ events: number; sealedMs: number }> {
  const { from, to, buckets } = move;
  await from.client.query("update buckets set moving_to = $2 where bucket = any($1)", [buckets, to.number]);
  failpoint("reshard:marked");
  let events = await copy(move);
  failpoint("reshard:copied");
  const sealedAt = performance.now();
  await from.client.query(
    "update buckets set state = 'sealed', epoch = epoch + 1 where bucket = any($1) and state = 'owned'",
    [buckets],
  );
  failpoint("reshard:sealed");
  events += await copy(move);
  failpoint("reshard:completed");
  await verify(move);
  failpoint("reshard:verified");
  const { rows } = await from.client.query("select bucket, epoch from buckets where bucket = any($1)", [buckets]);
  await to.client.query(
    `update buckets b set state = 'owned', epoch = t.epoch, moving_to = null
     from unnest($1::smallint[], $2::integer[]) t(bucket, epoch) where b.bucket = t.bucket`,
    [rows.map(row => row.bucket), rows.map(row => row.epoch)],
  );
  const sealedMs = performance.now() - sealedAt;
  failpoint("reshard:owned");
  await leave(move);
  return { events, sealedMs };
}

/** The source's part ends: first nobody asks it any more, then its rows go. Until they have gone it is marked. */
async function leave({ from: { client }, buckets }: Move): Promise<void> {
  if (buckets.length === 0) return;
  await client.query("update buckets set state = 'moved' where bucket = any($1)", [buckets]);
  failpoint("reshard:moved");
  await removeRows(client, buckets);
  await client.query("update buckets set moving_to = null where bucket = any($1)", [buckets]);
}

async function removeRows(client: ClientBase, buckets: readonly number[]): Promise<void> {
  for (;;) {
    const { rows } = await client.query("select id from streams where bucket = any($1) order by id limit $2", [
      buckets,
      limits.streams,
    ]);
    if (rows.length === 0) return;
    const ids = rows.map(row => row.id);
    await inTransaction(client, async () => {
      for (const table of ["events", "archived_events", "commands", "snapshots", "timers", "sagas"])
        await client.query(`delete from ${table} where stream = any($1)`, [ids]);
      await client.query("delete from streams where id = any($1)", [ids]);
    });
  }
}

// ---- copying

/** Copies what the target lacks. Resolves with the number of events. */
async function copy({ from, to, buckets }: Move): Promise<number> {
  let events = 0;
  for (let after = 0; ;) {
    const { rows: streams } = await from.client.query(
      `select id, name, bucket, version, archived_at, quarantined_at, quarantine_reason
       from streams where bucket = any($1) and id > $2 order by id limit $3`,
      [buckets, after, limits.streams],
    );
    if (streams.length === 0) return events;
    after = streams.at(-1).id;
    const ids = await copyStreams(to.client, streams);
    for (const table of ["events", "archived_events"]) events += await copyEvents(from.client, to.client, table, ids);
    await copyCommands(from.client, to.client, ids);
    await copyRest(from.client, to.client, ids);
  }
}

/** Ids on the target by id on the source. */
type Ids = ReadonlyMap<number, number>;

async function copyStreams(to: ClientBase, streams: readonly any[]): Promise<Ids> {
  const { rows } = await to.query(
    `insert into streams (name, bucket, version, archived_at, quarantined_at, quarantine_reason)
     select * from jsonb_to_recordset($1) as t(name text, bucket smallint, version integer, archived_at bigint, quarantined_at bigint, quarantine_reason text)
     on conflict (name) do update set version = excluded.version, archived_at = excluded.archived_at,
       quarantined_at = excluded.quarantined_at, quarantine_reason = excluded.quarantine_reason
     returning id, name`,
    [JSON.stringify(streams)],
  );
  const byName = new Map(rows.map(row => [row.name, row.id]));
  // Archived since the first copy: what was hot lies in the cold part now.
  const archived = streams.filter(({ archived_at }) => archived_at !== null).map(({ name }) => byName.get(name));
  if (archived.length > 0) await to.query("delete from events where stream = any($1)", [archived]);
  return new Map(streams.map(({ id, name }) => [id, byName.get(name)]));
}

async function copyEvents(from: ClientBase, to: ClientBase, table: string, ids: Ids): Promise<number> {
  const { rows: heads } = await to.query(
    `select stream, max(version) as version from ${table} where stream = any($1) group by stream`,
    [[...ids.values()]],
  );
  const known = new Map(heads.map(row => [row.stream, row.version]));
  const streams = [...ids].map(([source, target]) => ({ source, after: known.get(target) ?? 0 }));
  const COLUMNS = "version, type, schema_version, data, metadata, recorded_at";
  let copied = 0;
  // A page ends within a stream at times: then the next one goes on from there.
  for (let at = { stream: 0, version: 0 }; ;) {
    const { rows } = await from.query(
      `select e.stream, ${COLUMNS} from unnest($1::bigint[], $2::integer[]) t(stream, after)
       join ${table} e on e.stream = t.stream and e.version > t.after
       where (e.stream, e.version) > ($3::bigint, $4::integer) order by e.stream, e.version limit $5`,
      [streams.map(({ source }) => source), streams.map(({ after }) => after), at.stream, at.version, limits.rows],
    );
    if (rows.length === 0) return copied;
    at = rows.at(-1);
    for (const some of jsonOf(rows, ids))
      await to.query(
        `insert into ${table} (stream, ${COLUMNS}, position, xid) overriding system value
         select stream, ${COLUMNS}, nextval(pg_get_serial_sequence('events', 'position')), pg_current_xact_id() from jsonb_to_recordset($1) as t(stream bigint, version integer, type text,
           schema_version integer, data text, metadata text, recorded_at bigint) order by stream, version
         on conflict (stream, version) do nothing`,
        [some],
      );
    copied += rows.length;
  }
}

/** Only of the streams that have another number of them: they are never changed and never removed. */
async function copyCommands(from: ClientBase, to: ClientBase, ids: Ids): Promise<void> {
  const COUNT = "select stream, count(*) as count from commands where stream = any($1) group by stream";
  const [source, target] = await Promise.all([
    from.query(COUNT, [[...ids.keys()]]),
    to.query(COUNT, [[...ids.values()]]),
  ]);
  const known = new Map(target.rows.map(row => [row.stream, row.count]));
  const differing = source.rows.filter(row => row.count !== known.get(ids.get(row.stream))).map(row => row.stream);
  if (differing.length === 0) return;
  for (let at = { stream: 0, command_id: "" }; ;) {
    const { rows } = await from.query(
      `select stream, command_id, version, kind, fingerprint, answer from commands
       where stream = any($1) and (stream, command_id) > ($2::bigint, $3::text) order by stream, command_id limit $4`,
      [differing, at.stream, at.command_id, limits.rows],
    );
    if (rows.length === 0) return;
    at = rows.at(-1);
    for (const some of jsonOf(rows, ids))
      await to.query(
        `insert into commands (stream, command_id, version, kind, fingerprint, answer)
         select * from jsonb_to_recordset($1) as t(stream bigint, command_id text, version integer, kind text, fingerprint text, answer text)
         on conflict do nothing`,
        [some],
      );
  }
}

/** What changes and goes: the target gets what the source has now. */
async function copyRest(from: ClientBase, to: ClientBase, ids: Ids): Promise<void> {
  const TABLES = {
    snapshots: "version integer, schema integer, state text",
    timers: "id text, command text, params text, due_at bigint, next_at bigint, attempts integer",
    sagas: "id text, state text, reason text, started_at bigint, updated_at bigint",
  };
  for (const [table, types] of Object.entries(TABLES)) {
    const columns = types.replaceAll(/ (text|integer|bigint)/g, "");
    const { rows } = await from.query(`select stream, ${columns} from ${table} where stream = any($1)`, [
      [...ids.keys()],
    ]);
    await inTransaction(to, async () => {
      await to.query(`delete from ${table} where stream = any($1)`, [[...ids.values()]]);
      for (const some of jsonOf(rows, ids))
        await to.query(
          `insert into ${table} (stream, ${columns}) select stream, ${columns} from jsonb_to_recordset($1) as t(stream bigint, ${types})`,
          [some],
        );
    });
  }
}

/** Rows as JSON, with the target's ids of their streams; in parts, since a jsonb value holds no more than 256 MB. */
function* jsonOf(rows: readonly { readonly stream: number }[], ids: Ids): Generator<string> {
  let part: string[] = [];
  let chars = 0;
  for (const row of rows) {
    const json = JSON.stringify({ ...row, stream: ids.get(row.stream) });
    if (chars > 0 && chars + json.length > limits.statementChars) {
      yield `[${part.join(",")}]`;
      part = [];
      chars = 0;
    }
    part.push(json);
    chars += json.length;
  }
  if (part.length > 0) yield `[${part.join(",")}]`;
}

// ---- verifying

/** Counts and checksums of a group of buckets, by table. Streams by name: their ids differ. */
const SUMS: Readonly<Record<string, string>> = {
  streams: "s.name, s.version, s.archived_at, s.quarantined_at, s.quarantine_reason",
  events: "s.name, t.version, t.type, t.schema_version, t.data, t.metadata, t.recorded_at",
  archived_events: "s.name, t.version, t.type, t.schema_version, t.data, t.metadata, t.recorded_at",
  commands: "s.name, t.command_id, t.version, t.kind, t.fingerprint, t.answer",
  snapshots: "s.name, t.version, t.schema, t.state",
  timers: "s.name, t.id, t.command, t.params, t.due_at, t.next_at, t.attempts",
  sagas: "s.name, t.id, t.state, t.reason, t.started_at, t.updated_at",
};

/** @throws Bug `RESHARD_DIFFERS`; the buckets are the source's again. */
async function verify({ from, to, buckets }: Move): Promise<void> {
  for (const [table, columns] of Object.entries(SUMS)) {
    const rows = table === "streams" ? "streams s" : `streams s join ${table} t on t.stream = s.id`;
    const sql = `select count(*) as count, coalesce(sum(('x' || left(md5(row(${columns})::text), 15))::bit(60)::bigint), 0)::text as sum
      from ${rows} where s.bucket = any($1)`;
    const [source, target] = await Promise.all([from, to].map(({ client }) => client.query(sql, [buckets])));
    const [a, b] = [source!.rows[0], target!.rows[0]];
    if (a.count === b.count && a.sum === b.sum) continue;
    await from.client.query("update buckets set state = 'owned', moving_to = null where bucket = any($1)", [buckets]);
    throw new Bug(
      "RESHARD_DIFFERS",
      `${table} of buckets ${buckets.join(", ")}: ${from.place} has ${a.count} rows, ${to.place} has ${b.count}` +
        `${a.count === b.count ? " of other content" : ""}; they stay at ${from.place}`,
    );
  }
}

async function inTransaction(client: ClientBase, work: () => Promise<unknown>): Promise<void> {
  await client.query("begin");
  try {
    await work();
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}

function inGroups(buckets: readonly number[]): number[][] {
  const groups: number[][] = [];
  for (let i = 0; i < buckets.length; i += limits.bucketsAtOnce)
    groups.push(buckets.slice(i, i + limits.bucketsAtOnce));
  return groups;
}
