// Lists of records, the newest first. A page begins after the last record of the one before, whatever was added meanwhile.
import type { Knex } from "knex";
import { badCursor, cursorOf, readCursor, type CursorValue, type ParamsOf, type ResultOf } from "../contract/index.ts";
import { rfc3339 } from "../kernel/index.ts";
import { limits } from "./limits.ts";
import { readRecord, type AuditRecord } from "./record.ts";

/** The columns by which a list is sorted, each downwards. A subject's records are in the order of its versions. */
const ALL = ["at", "partition", "seq"];
const OF_SUBJECT = ["version", "at"];

/** The cursor of a list that goes on behind a record of it. */
export function cursorBehind(record: AuditRecord, { subject }: { readonly subject?: string | undefined }): string {
  const columns = subject === undefined ? ALL : OF_SUBJECT;
  return cursorOf(
    `audit by ${columns.join()}`,
    columns.map(column => record[column as "at"]),
  );
}

export async function listed(
  knex: Knex,
  { subject, actor, person, from, to, limit = limits.listed, cursor }: ParamsOf<"audit.list">,
): Promise<ResultOf<"audit.list">> {
  const query = knex("audit_records");
  for (const [column, value] of Object.entries({ subject, actor, person }))
    if (value !== undefined) void query.where(column, value);
  // As the records have it: in UTC, with milliseconds.
  if (from !== undefined) void query.where("at", ">=", rfc3339(Date.parse(from)));
  if (to !== undefined) void query.where("at", "<", rfc3339(Date.parse(to)));
  const columns = subject === undefined ? ALL : OF_SUBJECT;
  const order = `audit by ${columns.join()}`;
  if (cursor !== undefined) void query.where(afterRow(columns, valuesIn(cursor, order, columns)));
  const rows = await query.orderBy(columns.map(column => ({ column, order: "desc" }))).limit(limit + 1);
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  const valueOf = (column: string): unknown => (column === "at" ? last.at : Number(last[column]));
  return {
    records: page.map(row => ({ ...(readRecord(row.record) ?? unreadable(row)), hash: row.hash })),
    ...(last && { nextCursor: cursorOf(order, columns.map(valueOf)) }),
  };
}

/** A record that somebody has edited, as far as its columns tell of it: the others of its page are to be seen. */
const unreadable = ({ partition, seq, at, subject, version, record }: Record<string, any>): AuditRecord => ({
  partition,
  seq: Number(seq),
  previous: "",
  at,
  type: "audit.unreadable",
  subject,
  version: Number(version),
  data: { text: `${record}`.slice(0, limits.unreadableChars) },
});

function valuesIn(cursor: string, order: string, columns: readonly string[]): CursorValue[] {
  const values = readCursor(cursor, order, columns.length);
  const isFit = (value: CursorValue, i: number): boolean =>
    columns[i] === "at" ? typeof value === "string" : Number.isSafeInteger(value);
  if (values.every(isFit)) return values;
  throw badCursor();
}

/** Rows after the one with these values. The first condition follows from the others, and lets an index start there. */
function afterRow([column, ...columns]: readonly string[], [value, ...values]: readonly CursorValue[]) {
  return (rows: Knex.QueryBuilder): void => {
    if (columns.length === 0) return void rows.where(column!, "<", value!);
    void rows.where(column!, "<=", value!).where((any: Knex.QueryBuilder) => {
      void any.where(column!, "<", value!).orWhere(afterRow(columns, values));
    });
  };
}
