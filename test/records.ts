// Everything that a shop has written down, read from its files while it runs: a reader beside it disturbs no one.
import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Not records of what happened: who holds a lease, how far a consumer has looked, and which commands were refused (a
 * refusal is recorded under its command id on purpose, on a stream that stays at its version).
 */
const BOOKKEEPING = /^(sqlite_|migrations_|leases$|checkpoints$|commands$)/;

/** Rows by `file/table`, as text. */
export function recordsOf(folder: string): Map<string, string[]> {
  const records = new Map<string, string[]>();
  for (const file of globSync(join(folder, "*.sqlite")).toSorted()) {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
    try {
      const tables = database.prepare("select name from sqlite_schema where type = 'table' order by name").all();
      for (const { name } of tables as { name: string }[]) {
        if (BOOKKEEPING.test(name)) continue;
        const unchanged = name === "streams" ? "where version > 0" : "";
        const rows = database.prepare(`select * from "${name}" ${unchanged}`).all();
        records.set(`${basename(file)}/${name}`, rows.map(row => JSON.stringify(row)).toSorted());
      }
    } finally {
      database.close();
    }
  }
  return records;
}

/** The records once nothing has been written for half a second. */
export async function recordsAtRest(folder: string, withinMs = 20_000): Promise<Map<string, string[]>> {
  let before = recordsOf(folder);
  for (const end = Date.now() + withinMs; Date.now() < end;) {
    await sleep(500);
    const now = recordsOf(folder);
    if (textOf(now) === textOf(before)) return now;
    before = now;
  }
  throw new Error(`${folder} does not come to rest`);
}

const textOf = (records: Map<string, string[]>): string => JSON.stringify([...records]);
