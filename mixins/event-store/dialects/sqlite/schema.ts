// Tables of an event store on SQLite, as numbered migrations. Released ones never change. They share the file with
// tables of knex (a service's own, checkpoints of consumers), so their number lives in a table of our own.
import type { DatabaseSync } from "node:sqlite";
import { mustBeReadable } from "../../schema-version.ts";

const MIGRATIONS: readonly string[] = [
  `
  create table streams (
    id integer primary key,
    name text not null unique,
    version integer not null,
    archived_at integer,
    quarantined_at integer,
    quarantine_reason text
  );
  -- autoincrement: without it the position of a removed newest row is used again, and a reader past it misses an event.
  create table events (
    position integer primary key autoincrement,
    stream integer not null references streams (id),
    version integer not null,
    type text not null,
    schema_version integer not null,
    data text not null,
    metadata text not null,
    recorded_at integer not null,
    unique (stream, version)
  );
  create table commands (
    command_id text not null,
    stream integer not null references streams (id),
    version integer not null,
    kind text not null,
    fingerprint text not null,
    answer text,
    primary key (command_id, stream)
  ) without rowid;
  create table snapshots (
    stream integer primary key references streams (id),
    version integer not null,
    schema integer not null,
    state text not null
  );
  create table timers (
    id text primary key,
    stream integer not null references streams (id),
    command text not null,
    params text not null,
    due_at integer not null,
    attempts integer not null
  ) without rowid;
  create index timers_due on timers (due_at);
  create table sagas (
    id text primary key,
    stream integer not null references streams (id),
    state text not null,
    reason text,
    started_at integer not null,
    updated_at integer not null
  ) without rowid;
  create index sagas_by_state on sagas (state, started_at, id);
  create index streams_quarantined on streams (quarantined_at) where quarantined_at is not null;
  `,
  `
  -- When to try next. A timer that is postponed keeps due_at: its command's id comes from it.
  alter table timers add column next_at integer not null default 0;
  update timers set next_at = due_at;
  drop index timers_due;
  create index timers_next on timers (next_at);
  `,
  `
  -- The cold part: events of archived streams, at the positions that they had.
  create table archived_events (
    position integer primary key,
    stream integer not null references streams (id),
    version integer not null,
    type text not null,
    schema_version integer not null,
    data text not null,
    metadata text not null,
    recorded_at integer not null,
    unique (stream, version)
  );
  `,
  `
  -- What the log is called. It stays with the log when its file is copied, and a new file has another.
  create table log_identity (identity text not null);
  insert into log_identity values (lower(hex(randomblob(16))));
  `,
  `
  alter table store_schema add column readable_from integer;
  `,
  `
  -- The span of the command that set it.
  alter table timers add column cause text;
  `,
];
/**
 * The oldest schema whose code may serve on these tables, beside this release or after a roll-back to it. A step that only
 * adds leaves it (nullable columns of `events` go to `archived_events` as well: rows move between them whole); one that
 * older code would read or write wrongly raises it to its own number.
 */
const READABLE_FROM = 5;

/**
 * Brings the tables to this code's schema, inside the caller's transaction. Throws Bug `STORE_SCHEMA_NEWER` when the file is
 * of a later release that this code cannot serve with.
 */
export function migrate(database: DatabaseSync, filename: string): void {
  database.exec("create table if not exists store_schema (version integer primary key, applied_at integer not null)");
  const row = database.prepare("select * from store_schema order by version desc limit 1").get();
  const version = Number(row?.["version"] ?? 0);
  mustBeReadable(
    filename,
    { version, readableFrom: (row?.["readable_from"] ?? null) as number | null },
    MIGRATIONS.length,
  );
  if (version >= MIGRATIONS.length) return;
  const applied = database.prepare("insert into store_schema (version, applied_at) values (?, unixepoch() * 1000)");
  for (const [i, migration] of MIGRATIONS.entries()) {
    if (i < version) continue;
    database.exec(migration);
    applied.run(i + 1);
  }
  database.prepare("update store_schema set readable_from = ? where version = ?").run(READABLE_FROM, MIGRATIONS.length);
}
