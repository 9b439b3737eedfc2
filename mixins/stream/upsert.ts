// Multi-row upserts, the hottest writes of a consumer.
import type { Knex } from "knex";

/** Values bound by one statement: below SQLite's 32 766 and Postgres' 65 535. */
const BOUND_MAX = 30_000;
/** Rows a statement, largest first. A few fixed sizes, so that a connection meets few SQL texts and keeps them prepared. */
const ROWS = [256, 64, 16, 4, 1];

/**
 * Inserts rows, given as arrays in the order of `columns`; where the key is there already, the other columns are set, or
 * only those in `set`. To leave a column out that does not change saves its indexes: SQLite rewrites the entry of every
 * index whose columns are set, equal or not.
 */
export async function upsertRows(
  trx: Knex.Transaction,
  table: string,
  columns: readonly string[],
  keys: readonly string[],
  rows: readonly (readonly Knex.Value[])[],
  set: readonly string[] = columns,
): Promise<void> {
  const rest = set.filter(column => !keys.includes(column));
  const action = rest.length === 0 ? "nothing" : `update set ${rest.map(c => `"${c}" = excluded."${c}"`).join(", ")}`;
  const one = `(${columns.map(() => "?").join(",")})`;
  for (let from = 0; from < rows.length;) {
    const left = rows.length - from;
    const size = ROWS.find(size => size <= left && size * columns.length <= BOUND_MAX) ?? 1;
    const values = Array.from({ length: size }, () => one).join(",");
    await trx.raw(
      `insert into "${table}" (${columns.map(c => `"${c}"`).join(",")}) values ${values} ` +
        `on conflict (${keys.map(c => `"${c}"`).join(",")}) do ${action}`,
      rows.slice(from, from + size).flat() as Knex.RawBinding[],
    );
    from += size;
    // Thousands of rows are tens of milliseconds: others get a turn in between.
    if (from < rows.length) await new Promise(resolve => setImmediate(resolve));
  }
}

/** Splits a list so that each part fits into one `in (…)`. */
export function inChunks<T>(items: readonly T[], size = 500): T[][] {
  const chunks: T[][] = [];
  for (let from = 0; from < items.length; from += size) chunks.push(items.slice(from, from + size));
  return chunks;
}
