// Transactions, in any database of the server, that delay the readers of every log and the removal of dead rows. A
// reader passes only transactions that have ended, since an event of an older one could still appear.
import { count, duration, fail, megabytes, ok, warn, type Result } from "../../finding.ts";
import { limits } from "../../limits.ts";
import type { Connection } from "./connection.ts";

interface Session {
  readonly pid: number;
  readonly who: string;
  readonly has_written: boolean;
  readonly ms: number;
}

/** Without this right, other users' transactions are visible, but not their state. */
export async function visibilityOf(connection: Connection): Promise<readonly Result[]> {
  const [row] = await connection.read(ask =>
    ask("select current_user as user, pg_has_role('pg_read_all_stats', 'usage') as sees_all"),
  );
  if (row.sees_all) return [];
  return [warn("visibility", `${row.user} sees only sessions of its own`, `grant pg_read_all_stats to "${row.user}"`)];
}

export async function transactionsOf(connection: Connection): Promise<readonly Result[]> {
  const sessions: Session[] = await connection.read(ask =>
    ask(
      `select pid, concat_ws(', ', coalesce(usename, backend_type) || ' on ' || coalesce(datname, 'no database'), nullif(application_name, ''), state) as who,
         backend_xid is not null as has_written, extract(epoch from clock_timestamp() - xact_start) * 1000 as ms
       from pg_stat_activity
       where (backend_xid is not null or backend_xmin is not null) and xact_start is not null and pid <> pg_backend_pid()
       order by xact_start`,
    ),
  );
  const prepared = await connection.read(ask =>
    ask(
      `select gid, owner || ' on ' || database as who, extract(epoch from clock_timestamp() - prepared) * 1000 as ms
       from pg_prepared_xacts order by prepared`,
    ),
  );
  const results: Result[] = [];
  const writer = sessions.find(session => session.has_written);
  if (writer && writer.ms >= limits.writingMs.warn)
    results.push(
      (writer.ms < limits.writingMs.fail ? warn : fail)(
        "transactions",
        `pid ${writer.pid} (${writer.who}) has written and is open for ${duration(writer.ms)}: readers of every log wait for it`,
        `select pg_terminate_backend(${writer.pid}), and give that user an idle_in_transaction_session_timeout`,
      ),
    );
  for (const { gid, who, ms } of prepared)
    results.push(
      (ms < limits.writingMs.fail ? warn : fail)(
        "transactions",
        `prepared transaction '${gid}' (${who}) is open for ${duration(ms)}: readers of every log wait for it`,
        "commit prepared or rollback prepared it, in its database",
      ),
    );
  const reader = sessions.find(session => !session.has_written);
  if (reader && reader.ms >= limits.snapshotMs)
    results.push(
      warn(
        "transactions",
        `pid ${reader.pid} (${reader.who}) holds a snapshot for ${duration(reader.ms)}: dead rows pile up`,
        `let it end, or select pg_terminate_backend(${reader.pid})`,
      ),
    );
  if (results.length > 0) return results;
  const oldest = sessions[0] === undefined ? "" : `, the oldest for ${duration(sessions[0].ms)}`;
  return [ok("transactions", `${sessions.length} open${oldest}, 0 prepared`)];
}

/** Data that is kept although no transaction of the server needs it: for a standby that may not come back. */
export async function slotsOf(connection: Connection): Promise<readonly Result[]> {
  const slots = await connection.read(ask =>
    ask(
      `select slot_name, active, wal_status, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0) as bytes,
         greatest(age(xmin), age(catalog_xmin), 0) as transactions
       from pg_replication_slots order by slot_name`,
    ),
  );
  const standbys = await connection.read(ask =>
    ask(
      `select application_name, age(backend_xmin) as transactions from pg_stat_replication
       where age(backend_xmin) > $1`,
      [limits.horizonTransactions],
    ),
  );
  const results: Result[] = standbys.map(({ application_name, transactions }) =>
    warn(
      "slots",
      `standby ${application_name} delays the removal of dead rows by ${count(transactions, "transaction")}`,
      "end its long queries, or turn its hot_standby_feedback off",
    ),
  );
  for (const { slot_name, active, wal_status, bytes, transactions } of slots) {
    const isHeavy = bytes > limits.slotBytes || transactions > limits.horizonTransactions;
    if (wal_status === "lost")
      results.push(warn("slots", `${slot_name} has lost its WAL`, "make its standby anew and drop the slot"));
    else if (!active && isHeavy)
      results.push(
        warn(
          "slots",
          `${slot_name} has no reader, and keeps ${megabytes(bytes)} of WAL and ${count(transactions, "transaction")}`,
          `start its standby, or select pg_drop_replication_slot('${slot_name}')`,
        ),
      );
  }
  return results.length > 0 ? results : [ok("slots", count(slots.length, "slot"))];
}
