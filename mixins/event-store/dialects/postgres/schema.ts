// Tables and functions of an event store on Postgres, as numbered migrations. Released ones never change. They share the
// schema with tables of knex (a service's own, checkpoints of consumers), so their number lives in a table of our own.
// Times are milliseconds since the epoch, on this server's clock.
import type { ClientBase } from "pg";
import { BUCKETS } from "../../buckets.ts";
import { mustBeReadable } from "../../schema-version.ts";
import { FUNCTIONS, STORE_EXTRAS_WITH_CAUSE } from "./functions.ts";
import { LOCK_STORE, restamp } from "./restamp.ts";

const MIGRATIONS: readonly string[] = [
  `
  create table streams (
    id bigint generated always as identity primary key,
    name text collate "C" not null unique,
    bucket smallint not null,
    version integer not null,
    archived_at bigint,
    quarantined_at bigint,
    quarantine_reason text
  ) with (fillfactor = 70); -- room for the next version on the same page: no index is touched then
  create index streams_quarantined on streams (quarantined_at) where quarantined_at is not null;

  -- data and metadata are text: what was written comes back word for word, which jsonb does not promise.
  create table events (
    position bigint generated always as identity,
    -- The writing transaction. Positions are handed out before the commit, so they alone are no order to read by.
    xid xid8 not null default pg_current_xact_id(),
    stream bigint not null,
    version integer not null,
    type text collate "C" not null,
    schema_version integer not null,
    data text not null,
    metadata text not null,
    recorded_at bigint not null,
    primary key (stream, version)
  );
  create index events_log on events (xid, position);

  -- The cold part: events of archived streams, where they were in the log.
  create table archived_events (like events, primary key (stream, version));
  create index archived_events_log on archived_events (xid, position);

  create table commands (
    command_id text collate "C" not null,
    stream bigint not null,
    version integer not null,
    kind text not null,
    fingerprint text not null,
    answer text,
    primary key (command_id, stream) -- this order: the other costs half the speed, and ids are looked up alone
  );

  create table snapshots (
    stream bigint primary key,
    version integer not null,
    schema integer not null,
    state text not null
  );

  create table timers (
    id text collate "C" primary key,
    stream bigint not null,
    command text not null,
    params text not null,
    due_at bigint not null,
    next_at bigint not null, -- when to try next; a timer that is postponed keeps due_at, its command's id comes from it
    attempts integer not null
  );
  create index timers_next on timers (next_at, id);

  create table sagas (
    id text collate "C" primary key,
    stream bigint not null,
    state text collate "C" not null,
    reason text,
    started_at bigint not null,
    updated_at bigint not null
  ) with (fillfactor = 70);
  create index sagas_by_state on sagas (state, started_at, id);

  create table buckets (
    bucket smallint primary key,
    state text collate "C" not null check (state in ('owned', 'sealed', 'moved')),
    epoch integer not null, -- one more with each move
    moving_to smallint -- number of the shard that it is being copied to
  );
  -- Shared out evenly when the store is new; a shard that was added later begins with none.
  insert into buckets
  select bucket, case when bucket % shards = number and not is_late then 'owned' else 'moved' end, 1
  from generate_series(0, ${BUCKETS - 1}) bucket, shard;
  ${FUNCTIONS}
  `,
  `
  -- What the log is called. It stays with the log when that is dumped and loaded, and a new database has another.
  create table log_identity (identity text not null);
  insert into log_identity values (gen_random_uuid());
  `,
  `
  alter table store_schema add column readable_from integer;
  `,
  `
  -- The span of the command that set it.
  alter table timers add column cause text;
  ${STORE_EXTRAS_WITH_CAUSE}
  `,
];
/**
 * The oldest schema whose code may serve on these tables, beside this release or after a roll-back to it. A step that only
 * adds leaves it (nullable columns of `events` go to `archived_events` as well: rows move between them whole); one that
 * older code would read or write wrongly raises it to its own number.
 */
const READABLE_FROM = 3;

/**
 * Brings the tables to this code's schema, in one transaction that starts at once wait for, then mends a restored dump,
 * of which it tells. Throws Bug `STORE_SCHEMA_NEWER` when the database is of a later release that this code cannot serve with.
 */
export async function migrate(client: ClientBase, place: string, tell?: (message: string) => void): Promise<void> {
  await client.query("begin");
  try {
    // Starts that find nothing there: `create … if not exists` alone still collides in the catalogue. How long a step of
    // a migration takes depends on the store.
    await client.query(LOCK_STORE);
    await client.query(
      "create table if not exists store_schema (version integer primary key, applied_at bigint not null)",
    );
    const { rows } = await client.query("select * from store_schema order by version desc limit 1");
    const version = Number(rows[0]?.version ?? 0);
    mustBeReadable(place, { version, readableFrom: rows[0]?.readable_from ?? null }, MIGRATIONS.length);
    for (const [i, migration] of MIGRATIONS.entries()) {
      if (i < version) continue;
      await client.query(migration);
      await client.query("insert into store_schema (version, applied_at) values ($1, store_clock())", [i + 1]);
    }
    if (version < MIGRATIONS.length)
      await client.query("update store_schema set readable_from = $1 where version = $2", [
        READABLE_FROM,
        MIGRATIONS.length,
      ]);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
  await restamp(client, tell);
}
