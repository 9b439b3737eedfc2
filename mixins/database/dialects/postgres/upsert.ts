import type { Knex } from "knex";
import { BOOKKEEPING } from "../../statements.ts";
import { conflict, insertInto, quoted, type Upsert } from "../../upsert.ts";

/** Rows a statement: some hundred kilobytes. */
const ROWS_MAX = 1_000;

/**
 * The rows go as one JSON value that takes the table's own types: one text and one round trip, however many there are.
 * On a busy loop each round trip is a turn of it, several milliseconds.
 */
export async function upsertPostgres(trx: Knex.Transaction, upsert: Upsert): Promise<void> {
  const { table, columns, rows } = upsert;
  const statement =
    `${insertInto(upsert)} select ${quoted(columns)} from json_populate_recordset(null::"${table}", ?::json) ` +
    conflict(upsert);
  const names = columns.map(column => `${JSON.stringify(column)}:`);
  const recordOf = (row: Upsert["rows"][number]): string =>
    `{${row.map((value, i) => names[i] + JSON.stringify(storable(value))).join(",")}}`;
  for (let from = 0; from < rows.length; from += ROWS_MAX) {
    const records = rows.slice(from, from + ROWS_MAX).map(recordOf);
    const sent = trx.raw(statement, [`[${records.join(",")}]`]);
    await (upsert.isBookkeeping === true ? sent.queryContext(BOOKKEEPING) : sent);
  }
}

/** Half a surrogate pair is no text to Postgres; it comes out as U+FFFD, as when it is bound by itself. */
const storable = (value: string | number | boolean | null): string | number | boolean | null =>
  typeof value === "string" ? value.toWellFormed() : value;
