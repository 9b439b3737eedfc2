// Everything that services have recorded, read from their databases while they run: an additional reader disturbs no
// process.
import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import type { Databases } from "./databases.ts";
import { query } from "./servers/postgres.ts";

/**
 * Tables that are not records of events: leases, progress of consumers, the marks of SQLite files, and refused commands
 * (a refusal is recorded under its command id on purpose, on a stream that stays at its version).
 */
const BOOKKEEPING = /^(sqlite_|migrations_|file_state$|leases$|checkpoints$|commands$)/;

type Ask = (sql: string) => Promise<object[]>;
const rowsOf = async (table: string, ask: Ask): Promise<string[]> => {
  const unchanged = /\bstreams"$/.test(table) ? "where version > 0" : "";
  return (await ask(`select * from ${table} ${unchanged}`)).map(row => JSON.stringify(row)).toSorted();
};

/** Rows by `service/table`, as text. */
export async function recordsOf({ folder, env }: Databases): Promise<Map<string, string[]>> {
  const records = new Map<string, string[]>();
  const url = env["DATABASE_URL"];
  if (url) {
    const tables = await query(url, "select schemaname, tablename from pg_tables where schemaname !~ '^(pg_|inf)'");
    for (const { schemaname, tablename } of tables)
      if (!BOOKKEEPING.test(tablename))
        records.set(
          `${schemaname}/${tablename}`,
          await rowsOf(`"${schemaname}"."${tablename}"`, sql => query(url, sql)),
        );
  }
  for (const file of globSync(join(folder, "*.sqlite"))) {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    try {
      // Left out: the tables in which a full-text index keeps itself, with ids beyond JavaScript's numbers.
      const tables = database
        .prepare("select name from pragma_table_list where schema = 'main' and type in ('table', 'virtual')")
        .all();
      for (const { name } of tables as { name: string }[])
        if (!BOOKKEEPING.test(name))
          records.set(
            `${basename(file, ".sqlite")}/${name}`,
            await rowsOf(`"${name}"`, async sql => database.prepare(sql).all()),
          );
    } finally {
      database.close();
    }
  }
  return new Map([...records].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** The records once nothing has been written for half a second. */
export async function recordsAtRest(databases: Databases, withinMs = 20_000): Promise<Map<string, string[]>> {
  let before = await recordsOf(databases);
  let moving: string[] = [];
  for (const end = Date.now() + withinMs; Date.now() < end;) {
    await sleep(500);
    const now = await recordsOf(databases);
    moving = [...now].filter(([table, rows]) => rows.join() !== before.get(table)?.join()).map(([table]) => table);
    if (moving.length === 0) return now;
    before = now;
  }
  throw new Error(`${databases.folder} does not come to rest: ${moving.join()} still changed`);
}
