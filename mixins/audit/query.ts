// Lists of records, the newest first. A page begins after the last record of the one before, whatever was added meanwhile.
import type { Knex } from "knex";
import { badCursor, cursorOf, readCursor, type ParamsOf, type ResultOf } from "../contract/index.ts";
import { rfc3339 } from "../kernel/index.ts";
import { limits } from "./limits.ts";

const ORDER = "-at,-partition,-seq";

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
  if (cursor !== undefined) after(query, cursor);
  const rows = await query
    .orderBy(["at", "partition", "seq"].map(column => ({ column, order: "desc" })))
    .limit(limit + 1);
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return {
    records: page.map(({ record, hash }) => ({ ...JSON.parse(record), hash })),
    ...(last && { nextCursor: cursorOf(ORDER, [last.at, last.partition, Number(last.seq)]) }),
  };
}

function after(query: Knex.QueryBuilder, cursor: string): void {
  const [at, partition, seq] = readCursor(cursor, ORDER, 3);
  if (typeof at !== "string" || !Number.isSafeInteger(partition) || !Number.isSafeInteger(seq)) throw badCursor();
  // The first condition follows from the others, and lets an index start there.
  void query.where("at", "<=", at).where(earlier => {
    void earlier
      .where("at", "<", at)
      .orWhere(same => void same.where({ at }).where("partition", "<", partition!))
      .orWhere(same => void same.where({ at, partition }).where("seq", "<", seq!));
  });
}
