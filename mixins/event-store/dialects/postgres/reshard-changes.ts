// Changes that commands make in buckets that are being copied. Triggers on the source note them, so that after the seal
// only the changed streams are copied and compared. Without the notes the whole group would be read again, and its
// commands would wait as long as that takes.
//
// A change is noted in its own transaction. Every write to a bucket holds a share of its row, which the mark (`moving_to`)
// waits for: a change that is not noted was committed before the copy began to read. After the seal there is no writer
// left. Killed, a run leaves the triggers at work on the buckets that it had marked: the next one takes all notes anew.
import { setTimeout as sleep } from "node:timers/promises";
import type { ClientBase } from "pg";
import { stateOf } from "../../../database/siblings.ts";

const limits = {
  /** Milliseconds that a change of a table's triggers waits for the table: appends queue behind it. */
  lockMs: 200,
  /** Attempts, and milliseconds between two: something else, as a vacuum, may have the table. */
  attempts: 100,
  pauseMs: 200,
};

const WATCHED: Readonly<Record<string, readonly ("insert" | "update" | "delete")[]>> = {
  streams: ["insert", "update"],
  commands: ["insert"],
  snapshots: ["insert", "update", "delete"],
  timers: ["insert", "update", "delete"],
  sagas: ["insert", "update", "delete"],
};
const LOCK_NOT_AVAILABLE = "55P03";

/** Begins to note changes. */
export async function watchChanges(client: ClientBase): Promise<void> {
  // After a crash of the server it is empty, and the run that read it is gone as well.
  await client.query(
    'create unlogged table if not exists reshard_changes (stream bigint not null, command_id text collate "C")',
  );
  await client.query("truncate reshard_changes");
  // With its own search path: a session that writes by hand may have another.
  await client.query(`
    create or replace function reshard_note() returns trigger language plpgsql
    set enable_seqscan = off set search_path from current as $$
    begin
      if tg_table_name = 'streams' then
        insert into reshard_changes select c.id, null from changed c join buckets b on b.bucket = c.bucket
        where b.moving_to is not null and b.state = 'owned';
      elsif tg_table_name = 'commands' then
        insert into reshard_changes select c.stream, c.command_id from changed c join streams s on s.id = c.stream
        join buckets b on b.bucket = s.bucket where b.moving_to is not null and b.state = 'owned';
      else
        insert into reshard_changes select distinct c.stream, null::text from changed c join streams s on s.id = c.stream
        join buckets b on b.bucket = s.bucket where b.moving_to is not null and b.state = 'owned';
      end if;
      return null;
    end $$`);
  for (const [table, changes] of Object.entries(WATCHED))
    await onTable(client, [
      ...dropping(table, changes),
      ...changes.map(
        change => `create trigger reshard_${change} after ${change} on ${table}
          referencing ${change === "delete" ? "old" : "new"} table as changed for each statement execute function reshard_note()`,
      ),
    ]);
}

/** Ends the noting and removes its triggers, function and table. */
export async function endWatch(client: ClientBase): Promise<void> {
  for (const [table, changes] of Object.entries(WATCHED)) {
    const { rows } = await client.query(
      "select from pg_trigger where tgrelid = $1::regclass and tgname like 'reshard\\_%'",
      [table],
    );
    if (rows.length > 0) await onTable(client, dropping(table, changes));
  }
  await client.query("drop function if exists reshard_note()");
  await client.query("drop table if exists reshard_changes");
}

const dropping = (table: string, changes: readonly string[]): string[] =>
  changes.map(change => `drop trigger if exists reshard_${change} on ${table}`);

/** A table at a time: one that waits for a second while it holds the first could wait for an append that does the same. */
async function onTable(client: ClientBase, statements: readonly string[]): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      await client.query(["begin", `set local lock_timeout = ${limits.lockMs}`, ...statements, "commit"].join("; "));
      return;
    } catch (error) {
      await client.query("rollback");
      if (stateOf(error) !== LOCK_NOT_AVAILABLE || attempt === limits.attempts) throw error;
      await sleep(limits.pauseMs);
    }
}

/** Ids of the commands that were added, by stream that changed. */
export type Changes = ReadonlyMap<number, readonly string[]>;

/** Takes the notes; the caller then copies the rows that they name. */
export async function takeChanges(client: ClientBase, buckets: readonly number[]): Promise<Changes> {
  const { rows } = await client.query(
    `delete from reshard_changes c using streams s where s.id = c.stream and s.bucket = any($1)
     returning c.stream, c.command_id`,
    [buckets],
  );
  const changes = new Map<number, string[]>();
  for (const { stream, command_id: id } of rows) {
    const ids = changes.get(stream);
    if (!ids) changes.set(stream, id === null ? [] : [id]);
    else if (id !== null) ids.push(id);
  }
  return changes;
}

/** Which of these streams have changed since their notes were taken. */
export async function changedOf(client: ClientBase, streams: readonly number[]): Promise<ReadonlySet<number>> {
  const { rows } = await client.query("select distinct stream from reshard_changes where stream = any($1)", [streams]);
  return new Set(rows.map(row => row.stream));
}
