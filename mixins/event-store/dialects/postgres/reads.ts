// Every read of the store. All go to the primary: a standby may show commits in another order than they were made in
// (https://jepsen.io/analyses/amazon-rds-for-postgresql-17.4), and a decision needs the newest state.
import { setTimeout as sleep } from "node:timers/promises";
import pg, { type ClientConfig } from "pg";
import { Session, tracedStatements, type PoolUse, type SessionConfig } from "../../../database/siblings.ts";
import { backoffMs, rfc3339 } from "../../../kernel/index.ts";
import { bucketOf, moved } from "../../buckets.ts";
import type { Dialect, HeldBucket } from "../../dialect.ts";
import { storeErrors } from "../../errors.ts";
import type { Append, Cursor, DueTimer, OpenSaga, StoredEvent, Verdict } from "../../event-store.ts";
import { limits } from "../../limits.ts";
import { smallintArray, textArray } from "./arrays.ts";
import { failureOf } from "./failures.ts";
import { Loads } from "./loads.ts";
import { eventOf, type EventRow } from "./rows.ts";

const EVENT = "e.position, e.xid, e.version, e.type, e.schema_version, e.data, e.metadata, e.recorded_at";
/** A stream lies in one of them; the log is both. */
const EVENT_TABLES = ["events", "archived_events"];
/** A cursor of a transaction that this server has not reached is another server's: the log is read from its start. */
const PLACE = "case when $1::xid8 < pg_snapshot_xmax(pg_current_snapshot()) then $1::xid8 else '0' end, $2::bigint";
/** Rows of a bucket that has moved, or is not here yet, belong to another shard. */
const OWN_STREAM = "(streams s join buckets b on b.bucket = s.bucket and b.state = 'owned')";
const OPEN = ["running", "compensating", "stuck"];

export class Reads implements Omit<Required<Dialect>, "system" | "lanes" | "commit" | "close"> {
  readonly #pool: pg.Pool;
  readonly #loads: Loads;
  readonly #traced: ReturnType<typeof tracedStatements>;

  constructor(config: ClientConfig & SessionConfig, poolSize: number) {
    this.#pool = new pg.Pool({
      ...config,
      Client: Session as unknown as typeof pg.Client,
      query_timeout: limits.replyMs,
      max: poolSize,
      min: 0,
      idleTimeoutMillis: 30_000,
    });
    this.#traced = tracedStatements("postgresql", config.session.schema);
    // A connection that is lost while it is idle: the pool has taken it out already.
    this.#pool.on("error", () => {});
    this.#loads = new Loads(
      (text, values) => this.#rows(text, values),
      (stream, from, limit) => this.readStream(stream, from, limit),
    );
  }

  poolUse(): PoolUse {
    const { totalCount, idleCount, waitingCount, options } = this.#pool;
    return { used: totalCount - idleCount, waiting: waitingCount, size: options.max };
  }

  async close(): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }

  /** A read may be repeated: a lost connection is tried again, for as long as a caller can be expected to wait. */
  async #rows<R = any>(text: string, values: unknown[] = []): Promise<R[]> {
    const until = performance.now() + limits.connectMs;
    for (let attempts = 1; ; attempts++)
      try {
        return (await this.#traced(text, () => this.#pool.query(text, values))).rows as R[];
      } catch (error) {
        if (failureOf(error) === "undone" || performance.now() > until)
          throw storeErrors.STORE_UNAVAILABLE({ message: (error as Error).message, cause: error });
        await sleep(backoffMs(attempts, { baseMs: 20, capMs: 500 }));
      }
  }

  load(stream: string, snapshotSchema: number): ReturnType<Dialect["load"]> {
    return this.#loads.load(stream, snapshotSchema);
  }

  /**
   * Reads until `limit` or the end, a chunk a statement, so that the loop turns in between. `from` comes from clients and
   * may be past what an integer column holds: as one, Postgres would refuse the statement.
   */
  async readStream(stream: string, from: number, limit: number): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    while (events.length < limit) {
      const wanted = Math.min(limit - events.length, limits.pageEvents);
      const rows = await this.#rows<EventRow>(
        `with own as (select id from streams where name = $1)
         ${EVENT_TABLES.map(
           table => `(select ${EVENT} from ${table} e, own where e.stream = own.id and e.version >= $2::bigint
             order by e.version limit $3)`,
         ).join(" union all ")} order by version limit $3`,
        [stream, from + events.length, wanted],
      );
      for (const row of rows) events.push(eventOf(stream, row));
      if (rows.length < wanted) break;
    }
    // Checked afterwards: a bucket that has moved meanwhile may have lost rows already.
    await this.#mustOwn(stream);
    return events;
  }

  /**
   * In one statement with the bucket's state: a bucket that has moved must not answer that the command was never
   * executed.
   */
  async findCommand(stream: string, commandId: string): ReturnType<Dialect["findCommand"]> {
    const [row] = await this.#rows(
      `select b.state, c.kind, c.fingerprint, c.version, c.answer from buckets b
       left join commands c on c.command_id = $2 and c.stream = (select id from streams where name = $1) where b.bucket = $3`,
      [stream, commandId, bucketOf(stream)],
    );
    if (row.kind !== null)
      return { commandId, kind: row.kind, fingerprint: row.fingerprint, version: row.version, answer: row.answer };
    if (row.state !== "owned") throw moved(stream);
    return undefined;
  }

  /**
   * Events in the order of their transactions, below the oldest one that is still under way: no event can appear later
   * before one that was read. Position alone is no such order: it is handed out before the commit. Nor is a position
   * below that horizon: a transaction that began late may have taken its positions early.
   */
  async readAll(cursor: Cursor, limit: number): ReturnType<Dialect["readAll"]> {
    const events: StoredEvent[] = [];
    const transactions: string[] = [];
    let at = placeOf(cursor);
    while (events.length < limit) {
      const wanted = Math.min(limit - events.length, limits.pageEvents);
      const rows = await this.#rows<EventRow & { xid: string }>(
        `select ${EVENT}, (select name from streams where id = e.stream) as name from (
           ${EVENT_TABLES.map(
             table => `(select * from ${table} e
               where (e.xid, e.position) > (${PLACE}) and e.xid < pg_snapshot_xmin(pg_current_snapshot())
               order by e.xid, e.position limit $3)`,
           ).join(" union all ")}
         ) e order by e.xid, e.position limit $3`,
        [at.xid, at.position, wanted],
      );
      for (const row of rows) {
        events.push(eventOf(row.name!, row));
        transactions.push(row.xid);
      }
      const last = rows.at(-1);
      if (last) at = last;
      if (rows.length < wanted) break;
    }
    const cursorAt = (index: number): Cursor =>
      cursorOf({ xid: transactions[index]!, position: events[index]!.position });
    return { events, cursor: events.length === 0 ? cursor : cursorOf(at), cursorAt };
  }

  /** How far the cursor is behind is exact at zero, and else as exact as positions without gaps would be. */
  async head(cursor: Cursor): ReturnType<Dialect["head"]> {
    const [newest] = await this.#rows<{ xid: string; position: number }>(
      `select xid, position from (
         ${EVENT_TABLES.map(table => `(select xid, position from ${table} order by xid desc, position desc limit 1)`).join(" union all ")}
       ) newest order by xid desc, position desc limit 1`,
    );
    if (!newest) return { cursor: "", behind: 0 };
    const at = placeOf(cursor);
    const isBehind = BigInt(newest.xid) > BigInt(at.xid) || (newest.xid === at.xid && newest.position > at.position);
    return { cursor: cursorOf(newest), behind: isBehind ? Math.max(1, newest.position - at.position) : 0 };
  }

  async identity(): Promise<string> {
    return (await this.#rows<{ identity: string }>("select identity from log_identity"))[0]!.identity;
  }

  buckets(): Promise<HeldBucket[]> {
    return this.#rows(`select bucket, state = 'owned' as "isOwned" from buckets where state <> 'moved'`);
  }

  async sagaStart(id: string): Promise<number | undefined> {
    return (await this.#rows("select started_at from sagas where id = $1", [id]))[0]?.started_at;
  }

  async #mustOwn(stream: string): Promise<void> {
    const [row] = await this.#rows("select state from buckets where bucket = $1", [bucketOf(stream)]);
    if (row.state !== "owned") throw moved(stream);
  }

  async streams(after: string | undefined, limit: number): ReturnType<Dialect["streams"]> {
    return this.#rows(
      `select s.name as stream, s.version, s.archived_at is not null as archived from ${OWN_STREAM}
       where s.version > 0 and s.id > coalesce((select id from streams where name = $1), 0) order by s.id limit $2`,
      [after ?? null, limit],
    );
  }

  async streamsByName(after: string | undefined, limit: number): ReturnType<Dialect["streamsByName"]> {
    return this.#rows(
      `select s.name as stream, s.version, s.archived_at is not null as archived from ${OWN_STREAM}
       where s.version > 0 and s.name > $1 order by s.name limit $2`,
      [after ?? "", limit],
    );
  }

  async streamCount(): Promise<number> {
    const [row] = await this.#rows(`select count(*)::int as n from ${OWN_STREAM} where s.version > 0`, []);
    return row.n as number;
  }

  async dueTimers(...[limit, part]: Parameters<Dialect["dueTimers"]>): ReturnType<Dialect["dueTimers"]> {
    const rows = await this.#rows(
      `select t.id, s.name as stream, t.command, t.params, t.due_at, t.attempts, t.cause, t.next_at - c.now as in_ms
       from (select store_clock() as now) c, timers t join ${OWN_STREAM} on s.id = t.stream
       ${part ? "where s.bucket % $2::int = any($3::smallint[])" : ""} order by t.next_at, t.id limit $1`,
      [limit + 1, ...(part ? [part.count, smallintArray(part.partitions)] : [])],
    );
    const due = rows.slice(0, limit).filter(row => row.in_ms <= 0);
    const next = rows[due.length];
    return {
      due: due.map(timerOf),
      nextInMs: next && Math.max(0, next.in_ms),
    };
  }

  async timers(...[limit, after]: Parameters<Dialect["timers"]>): ReturnType<Dialect["timers"]> {
    const rows = await this.#rows(
      `select t.id, s.name as stream, t.command, t.params, t.due_at, t.attempts, t.cause, t.next_at
       from timers t join ${OWN_STREAM} on s.id = t.stream
       where $2::bigint is null or (t.next_at, t.id) > ($2, $3) order by t.next_at, t.id limit $1`,
      [limit, after && Date.parse(after.nextAt), after?.id],
    );
    return { now: await this.now(), timers: rows.map(row => ({ ...timerOf(row), nextAt: rfc3339(row.next_at) })) };
  }

  async search(...[text, newest, limit]: Parameters<Dialect["search"]>): ReturnType<Dialect["search"]> {
    const latest = EVENT_TABLES.map(table => `(select * from ${table} order by xid desc, position desc limit $2)`);
    const rows = await this.#rows<EventRow & { searched: number; since: number | null; name: string | null }>(
      `with newest as materialized (
         select * from (${latest.join(" union all ")}) e order by xid desc, position desc limit $2
       )
       select looked.*, found.* from (select count(*)::int as searched, min(recorded_at) as since from newest) looked
       left join lateral (
         select ${EVENT}, (select name from streams where id = e.stream) as name from newest e
         where position($1 in e.metadata) > 0 or position($1 in e.data) > 0
         order by e.xid desc, e.position desc limit $3
       ) found on true`,
      [text, newest, limit],
    );
    const { searched, since } = rows[0]!;
    const found = rows.filter(({ name }) => name !== null);
    return {
      events: found.map(row => eventOf(row.name, row)),
      searched,
      since: since === null ? undefined : rfc3339(since),
    };
  }

  /** By the statistics of the tables; those of a table that was never analysed are of a small one, which is counted. */
  async size(): ReturnType<Dialect["size"]> {
    const rows = await this.#rows<{ name: string; rows: number; bytes: number }>(
      `select c.relname as name, c.reltuples::float8 as rows, pg_total_relation_size(c.oid)::float8 as bytes
       from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'`,
    );
    const countOf = async (table: string): Promise<number> => {
      const known = rows.find(({ name }) => name === table)?.rows ?? 0;
      return known >= 0 ? known : this.#countUpTo(table, COUNTED_MAX);
    };
    const [streams, ...events] = await Promise.all(["streams", ...EVENT_TABLES].map(countOf));
    return {
      streams: streams!,
      events: events.reduce((sum, count) => sum + count, 0),
      bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }

  async #countUpTo(table: string, limit: number): Promise<number> {
    const [row] = await this.#rows(`select count(*)::int as n from (select from ${table} limit $1) counted`, [limit]);
    return row.n as number;
  }

  async sagas({
    state = "open",
    olderThanMs = 0,
    limit,
    after,
    afterStart,
    newestFirst = false,
  }: Parameters<Dialect["sagas"]>[0]): Promise<OpenSaga[]> {
    const [beyond, order, none] = newestFirst ? ["<", "desc", "9223372036854775807"] : [">", "asc", "-1"];
    const rows = await this.#rows(
      // State by state, so that a page is a range of the index: otherwise each page would sort all of them.
      `select page.* from unnest($1::text[]) wanted(state) cross join lateral (
         select g.id, g.state, g.reason, g.started_at, g.updated_at
         from sagas g join ${OWN_STREAM} on s.id = g.stream
         where g.state = wanted.state and (g.updated_at <= store_clock() - $2::bigint or g.updated_at > store_clock())
           and (g.started_at, g.id) ${beyond} (
             case when $3::text is null then ${none} else coalesce($5::bigint, (select started_at from sagas where id = $3)) end,
             coalesce($3, '')
           )
         order by g.started_at ${order}, g.id ${order} limit $4
       ) page order by page.started_at ${order}, page.id ${order} limit $4`,
      [state === "open" ? OPEN : [state], Math.round(olderThanMs), after ?? null, limit, afterStart ?? null],
    );
    return rows.map(({ id, state, reason, started_at, updated_at }) => ({
      id,
      state,
      reason,
      startedAt: rfc3339(started_at),
      updatedAt: rfc3339(updated_at),
    }));
  }

  async quarantined(...[limit, after]: Parameters<Dialect["quarantined"]>): ReturnType<Dialect["quarantined"]> {
    const rows = await this.#rows(
      `select s.name, s.quarantine_reason, s.quarantined_at from ${OWN_STREAM}
       where s.quarantined_at is not null and ($2::bigint is null or (s.quarantined_at, s.name) > ($2, $3))
       order by s.quarantined_at, s.name limit $1`,
      [limit, after && Date.parse(after.at), after?.stream],
    );
    return rows.map(row => ({ stream: row.name, reason: row.quarantine_reason, at: rfc3339(row.quarantined_at) }));
  }

  async now(): Promise<number> {
    return (await this.#rows("select store_clock() as now"))[0].now;
  }

  /**
   * Verdicts of appends that only look whether a stream is where they expect it: no transaction that writes, so no lock,
   * and no hold-up for the readers of the log.
   */
  async check(appends: readonly Append[]): Promise<Exclude<Verdict, { kind: "failed" | "duplicate" }>[]> {
    const streams = [...new Set(appends.map(({ stream }) => stream))];
    const rows = await this.#rows(
      `select t.name, b.state, s.version, s.quarantined_at is not null as aside, store_clock() as now
       from unnest($1::text[], $2::smallint[]) t(name, bucket) join buckets b on b.bucket = t.bucket
       left join streams s on s.name = t.name`,
      [textArray(streams), smallintArray(streams.map(bucketOf))],
    );
    const found = new Map(rows.map(row => [row.name as string, row]));
    const failed = new Set<string>();
    return appends.map(({ stream, expectedVersion }) => {
      const row = found.get(stream)!;
      if (row.state !== "owned") return { kind: "fenced" };
      const version = row.version ?? 0;
      if (!failed.has(stream) && !row.aside && version === expectedVersion)
        return { kind: "ok", version, at: rfc3339(row.now) };
      failed.add(stream);
      return { kind: "conflict" };
    });
  }
}

/** Rows that are counted where there are no statistics. */
const COUNTED_MAX = 100_000;

interface TimerRow {
  readonly id: string;
  readonly stream: string;
  readonly command: string;
  readonly params: string;
  readonly due_at: number;
  readonly attempts: number;
  readonly cause: string | null;
}
const timerOf = ({ id, stream, command, params, due_at, attempts, cause }: TimerRow): DueTimer => ({
  id,
  stream,
  command,
  params,
  dueAt: rfc3339(due_at),
  attempts,
  cause: cause ?? undefined,
});

const cursorOf = ({ xid, position }: { xid: string; position: number }): Cursor => `${xid}:${position}`;

function placeOf(cursor: Cursor): { xid: string; position: number } {
  if (cursor === "") return { xid: "0", position: 0 };
  const [, xid, position] = /^(\d{1,20}):(\d{1,16})$/.exec(cursor) ?? [];
  if (xid === undefined) throw storeErrors.CURSOR_UNREADABLE({ cursor });
  return { xid, position: Number(position) };
}
