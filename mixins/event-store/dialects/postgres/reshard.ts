// Moves buckets to other shards while commands keep coming.
//
// Life of a move, a group of buckets at a time:
//   1. marked     the source remembers where they go; commands still commit there, and their changes are noted.
//   2. copied     streams, events, command ids, snapshots, timers, sagas; then compared, by checksums of their content.
//                 No node reads them on the target yet. Changes made meanwhile are copied and compared again, until
//                 few are left.
//   3. sealed     the source takes no more appends for them: transactions that hold a share of a bucket's lock are waited
//                 for, later ones see the seal. Appends are fenced until 6.
//   4. completed  the changes noted since are copied: the wait of commands grows with their rate, not with their
//                 history.
//   5. verified   these are compared. After a difference, here or in 2, the buckets are the source's again, and it stops.
//   6. owned      by the target, under the next epoch; then moved, at the source. Its rows are removed, and then the mark.
// Killed at any point it goes on from there: the state of a bucket says how far it was. Copying again changes nothing.
// Sealed buckets are the source's again until all is copied and compared anew.
import { setTimeout as sleep } from "node:timers/promises";
import { connectionOf, shardsOf, type Shard } from "../../../database/siblings.ts";
import pg, { type ClientBase } from "pg";
import type { PostgresLocation } from "../../../database/index.ts";
import { BUCKETS } from "../../buckets.ts";
import { failpoint } from "../../failpoints.ts";
import { storeErrors } from "../../errors.ts";
import { changedOf, endWatch, takeChanges, watchChanges } from "./reshard-changes.ts";
import {
  compareCommands,
  compareCommandsOf,
  compareStreams,
  type Compared,
  type Difference,
} from "./reshard-compare.ts";
import {
  copyCommands,
  copyCommandsOf,
  copyEvents,
  copyRest,
  copyStreams,
  inTransaction,
  STREAM_COLUMNS,
  type StreamRow,
} from "./reshard-copy.ts";
import { migrate } from "./schema.ts";

const limits = {
  /** Buckets that are sealed at once: one in 64 of the store, for well under a second. */
  bucketsAtOnce: 16,
  /** Streams of one statement. */
  streams: 500,
  /** Streams that have changed at the most when their buckets are sealed, and rounds to come down to it. */
  changedAtSeal: 50,
  rounds: 10,
  /** Milliseconds to wait for statements that a killed run has left at work on the servers, and between two looks. */
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
      if (shard.isPooled) throw storeErrors.RESHARD_POOLED({ place: shard.place });
      const client = new pg.Client(connectionOf(shard.url, location));
      client.on("error", () => {}); // a lost connection rejects the queries that wait for it
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
 * One run at a time. The lock is taken on every shard: when a run is killed, a statement of it may be at work on one of
 * them for a while. A target that becomes owner behind our back would take commands, and lose them to our next copy.
 */
async function beAlone(sides: readonly Side[]): Promise<void> {
  const until = performance.now() + limits.predecessorMs;
  for (const { client, place } of sides)
    for (; ; await sleep(limits.lookMs)) {
      // Waiting in the server would hold an open snapshot, for which the other run's index would wait.
      const { rows } = await client.query(
        "select pg_try_advisory_lock(hashtext('reshard ' || current_schema)) as is_ours",
      );
      if (rows[0].is_ours) break;
      if (performance.now() > until) throw storeErrors.RESHARD_RUNNING({ place });
    }
}

async function moveAll(sides: readonly Side[], onProgress: (progress: Progress) => void): Promise<number> {
  // Rows are found by stream and streams by bucket here and nowhere else: these indexes would only slow commands down.
  for (const { client } of sides) {
    for (const [index, on] of Object.entries(INDEXES)) await makeIndex(client, index, on);
    await watchChanges(client);
  }
  try {
    await settleInterrupted(sides);
    return await moveAsPlanned(await plan(sides), onProgress);
  } finally {
    // The operator is to read the failure of the run, not one of tidying up, which the next run does as well.
    for (const { client } of sides) await tidyUp(client).catch(() => {});
  }
}

async function moveAsPlanned(moves: readonly Move[], onProgress: (progress: Progress) => void): Promise<number> {
  const total = moves.reduce((sum, { buckets }) => sum + buckets.length, 0);
  let moved = 0;
  for (const move of moves) {
    const { events, sealedMs } = await moveBuckets(move);
    moved += move.buckets.length;
    onProgress({ moved, total, from: move.from.place, to: move.to.place, events, sealedMs });
  }
  return moved;
}

async function tidyUp(client: ClientBase): Promise<void> {
  await endWatch(client);
  for (const index of Object.keys(INDEXES)) await client.query(`drop index concurrently if exists ${index}`);
}
const INDEXES: Readonly<Record<string, string>> = {
  streams_by_bucket: "streams (bucket, id)",
  commands_by_stream: "commands (stream, command_id)",
  timers_by_stream: "timers (stream)",
  sagas_by_stream: "sagas (stream)",
};

async function makeIndex(client: ClientBase, index: string, on: string): Promise<void> {
  // An index whose making was killed is there and not usable.
  const { rows } = await client.query("select from pg_index where indexrelid = to_regclass($1) and not indisvalid", [
    index,
  ]);
  if (rows.length > 0) await client.query(`drop index concurrently ${index}`);
  await client.query(`create index concurrently if not exists ${index} on ${on}`);
}

/** Finishes an interrupted run: a bucket that its target owns already only has to leave the source. */
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

/** From shards that have too many to shards that have too few. */
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
  // One that a killed run has left sealed has no owner: commands need not wait for all of it.
  await from.client.query(
    "update buckets set moving_to = $2, state = 'owned' where bucket = any($1) and state in ('owned', 'sealed')",
    [buckets, to.number],
  );
  failpoint("reshard:marked");
  const copied: Copied = { move, targets: new Map(), equalUpTo: new Map() };
  let events = await copyAll(copied);
  for (let round = 1; round <= limits.rounds; round++) {
    const changes = await copyChanges(copied);
    await changes.compare();
    events += changes.events;
    if (changes.streams <= limits.changedAtSeal) break;
  }
  failpoint("reshard:copied");
  const sealedAt = performance.now();
  await from.client.query(
    "update buckets set state = 'sealed', epoch = epoch + 1 where bucket = any($1) and state = 'owned'",
    [buckets],
  );
  failpoint("reshard:sealed");
  const last = await copyChanges(copied);
  events += last.events;
  failpoint("reshard:completed");
  await last.compare();
  await mustAddUp(move);
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

/** Ends the source's part: first no node asks it any more, then its rows go. Until they have gone it is marked. */
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

// ---- copying and comparing

/** The copy of a group of buckets. */
interface Copied {
  readonly move: Move;
  /** The target's ids of the streams by the source's. */
  readonly targets: Map<number, number>;
  readonly equalUpTo: Map<number, number>;
}

/** Copies all that the target lacks, and compares it. Resolves with the number of events. */
async function copyAll(copied: Copied): Promise<number> {
  const { from, to, buckets } = copied.move;
  await takeChanges(from.client, buckets);
  let events = 0;
  for (let after = 0; ;) {
    const { rows: streams } = await from.client.query<StreamRow>(
      `select ${STREAM_COLUMNS} from streams where bucket = any($1) and id > $2 order by id limit $3`,
      [buckets, after, limits.streams],
    );
    if (streams.length === 0) break;
    after = streams.at(-1)!.id;
    const ids = await copyStreams(to.client, streams);
    remember(copied, ids);
    events += await copyEvents(from.client, to.client, streams, ids);
    await copyCommands(from.client, to.client, ids);
    await copyRest(from.client, to.client, ids);
    const compared = { streams, ids, equalUpTo: copied.equalUpTo };
    await mustBeEqual(copied.move, await compareCommands(sidesOf(copied.move), compared), { isSettled: true });
    await mustBeEqual(copied.move, await compareStreams(sidesOf(copied.move), compared));
  }
  await mustHaveNoOthers(copied);
  return events;
}

/** Copies the changes since the last copy. `compare` then compares them. */
async function copyChanges(copied: Copied): Promise<{ streams: number; events: number; compare: () => Promise<void> }> {
  const { from, to, buckets } = copied.move;
  const changes = await takeChanges(from.client, buckets);
  const pages: { compared: Compared; commands: Map<number, readonly string[]> }[] = [];
  const changed = [...changes.keys()];
  let events = 0;
  for (let at = 0; at < changed.length; at += limits.streams) {
    const { rows: streams } = await from.client.query<StreamRow>(
      `select ${STREAM_COLUMNS} from streams where id = any($1) order by id`,
      [changed.slice(at, at + limits.streams)],
    );
    const ids = await copyStreams(to.client, streams);
    remember(copied, ids);
    const commands = new Map(streams.map(({ id }) => [id, changes.get(id)!]));
    events += await copyEvents(from.client, to.client, streams, ids);
    await copyCommandsOf(from.client, to.client, commands, ids);
    await copyRest(from.client, to.client, ids);
    pages.push({ compared: { streams, ids, equalUpTo: copied.equalUpTo }, commands });
  }
  const compare = async (): Promise<void> => {
    for (const { compared, commands } of pages) {
      const differing = await compareCommandsOf(sidesOf(copied.move), compared, commands);
      await mustBeEqual(copied.move, differing, { isSettled: true });
      await mustBeEqual(copied.move, await compareStreams(sidesOf(copied.move), compared));
    }
  };
  return { streams: changed.length, events, compare };
}

function remember({ targets }: Copied, ids: ReadonlyMap<number, number>): void {
  for (const [source, target] of ids) targets.set(source, target);
}

const sidesOf = ({ from, to }: Move): { from: ClientBase; to: ClientBase } => ({ from: from.client, to: to.client });

/**
 * A stream that has changed since it was copied may differ: it is noted, and comes again. `isSettled`: none can have
 * changed.
 * @throws Bug `RESHARD_DIFFERS`; the buckets are the source's again.
 */
async function mustBeEqual(move: Move, differences: readonly Difference[], { isSettled = false } = {}): Promise<void> {
  if (differences.length === 0) return;
  const streams = differences.map(({ stream }) => stream);
  const changed = isSettled ? new Set() : await changedOf(move.from.client, streams);
  const wrong = differences.find(({ stream }) => !changed.has(stream));
  if (!wrong) return;
  const { name, table, source, target } = wrong;
  await giveBack(
    move,
    `${table} of ${name}: ${move.from.place} has ${source.count} rows, ${move.to.place} has ${target.count}` +
      (source.count === target.count ? " of other content" : ""),
  );
}

/** Stops the move when the target has streams of these buckets from another writer. */
async function mustHaveNoOthers({ move, targets }: Copied): Promise<void> {
  const { rows } = await move.to.client.query("select count(*) as count from streams where bucket = any($1)", [
    move.buckets,
  ]);
  if (rows[0].count !== targets.size)
    await giveBack(move, `${move.from.place} has ${targets.size} streams, ${move.to.place} has ${rows[0].count}`);
}

/**
 * Compares counts and versions of all streams, noted or not: no event may be missing. It reads the rows of the streams,
 * not their events.
 */
async function mustAddUp(move: Move): Promise<void> {
  const [source, target] = await Promise.all(
    [move.from, move.to].map(async ({ client }) => {
      const { rows } = await client.query(
        `select count(*) as streams, coalesce(sum(version), 0) as versions, count(archived_at) as archived,
           count(quarantined_at) as quarantined from streams where bucket = any($1)`,
        [move.buckets],
      );
      return JSON.stringify(rows[0]);
    }),
  );
  if (source !== target) await giveBack(move, `${move.from.place} has ${source}, ${move.to.place} has ${target}`);
}

async function giveBack({ from, buckets }: Move, why: string): Promise<never> {
  await from.client.query("update buckets set state = 'owned', moving_to = null where bucket = any($1)", [buckets]);
  throw storeErrors.RESHARD_DIFFERS({ buckets: buckets.join(", "), place: from.place, why });
}

function inGroups(buckets: readonly number[]): number[][] {
  const groups: number[][] = [];
  for (let i = 0; i < buckets.length; i += limits.bucketsAtOnce)
    groups.push(buckets.slice(i, i + limits.bucketsAtOnce));
  return groups;
}
