import type { Knex } from "knex";
import { BOOKKEEPING } from "../../statements.ts";
import { conflict, insertInto, type Upsert } from "../../upsert.ts";

/** Values bound by one statement: below SQLite's 32 766. */
const BOUND_MAX = 30_000;
/** Rows a statement, largest first. A few fixed sizes, so that a connection meets few SQL texts and keeps them prepared. */
const ROWS = [256, 64, 16, 4, 1];

export async function upsertSqlite(trx: Knex.Transaction, upsert: Upsert): Promise<void> {
  const { columns, rows } = upsert;
  const one = `(${columns.map(() => "?").join(",")})`;
  for (let from = 0; from < rows.length;) {
    const left = rows.length - from;
    const size = ROWS.find(size => size <= left && size * columns.length <= BOUND_MAX) ?? 1;
    const values = Array.from({ length: size }, () => one).join(",");
    const some = rows.slice(from, from + size).flat() as Knex.RawBinding[];
    const statement = trx.raw(`${insertInto(upsert)} values ${values} ${conflict(upsert)}`, some);
    await (upsert.isBookkeeping === true ? statement.queryContext(BOOKKEEPING) : statement);
    from += size;
    // Thousands of rows are tens of milliseconds: others get a turn in between.
    if (from < rows.length) await new Promise(resolve => setImmediate(resolve));
  }
}
