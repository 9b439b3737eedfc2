// A dump that is restored on another server carries transaction ids that this one has not reached: readers would wait for
// them for ever. Those rows get ids of this server, which lie behind every cursor that it can take for one of its own.
//
// A batch at a time, each in a transaction of its own: a store of millions of events must start as well, and a start that
// is killed has not worked for nothing. Batches go by the order of the log and their ids rise, so the order stays, also where
// the server reaches an id of the dump meanwhile and its rows keep it: rows before them have a lower one, rows after them a
// higher one. Concurrent starts take turns, and none opens the store before nothing is left.
import type { ClientBase } from "pg";

const limits = {
  /** Rows of one transaction: about a second's work, which is how long another start may wait for its turn. */
  rows: 20_000,
  /** Milliseconds between two messages about the progress. */
  tellMs: 5_000,
};

/** Takes the lock under which one start at a time works on a store's tables, until the end of the transaction. */
export const LOCK_STORE =
  "set local statement_timeout = 0; select pg_advisory_xact_lock(hashtext('store_schema ' || current_schema))";

/** `tell` gets a message at the beginning, then the progress, and the end. */
export async function restamp(
  client: ClientBase,
  tell: (message: string) => void = () => {},
  rowsAtOnce = limits.rows,
): Promise<void> {
  let total = 0;
  let toldAt = -Infinity;
  // The cold part first: it is the older one. No order between streams is promised.
  for (const table of ["archived_events", "events"])
    for (let after = { xid: "0", position: 0 }; ;) {
      const { count, ...last } = await stampBatch(client, table, after, rowsAtOnce);
      if (count === 0) break;
      after = last;
      total += count;
      if (performance.now() - toldAt < limits.tellMs) continue;
      toldAt = performance.now();
      tell(`events of a restored dump get transaction ids of this server: ${total} so far`);
    }
  if (total > 0) tell(`${total} events of a restored dump have transaction ids of this server now`);
}

async function stampBatch(
  client: ClientBase,
  table: string,
  after: { xid: string; position: number },
  rowsAtOnce: number,
): Promise<{ count: number; xid: string; position: number }> {
  // Each batch begins at the place of the last: stamped rows are dead entries of the index until a vacuum comes.
  const AHEAD = `select stream, version, xid, position from ${table}
    where xid >= pg_snapshot_xmax(pg_current_snapshot()) and (xid, position) > ($1::xid8, $2::bigint)
    order by xid, position limit $3`;
  const values = [after.xid, after.position, rowsAtOnce];
  // Without an id of our own where there is nothing to do: a start is no transaction that readers wait for.
  if ((await client.query(AHEAD, [after.xid, after.position, 1])).rows.length === 0) return { count: 0, ...after };
  await client.query("begin");
  try {
    await client.query(LOCK_STORE);
    const { rows } = await client.query(
      `with batch as (${AHEAD}),
       stamped as (
         update ${table} e set xid = pg_current_xact_id() from batch
         where e.stream = batch.stream and e.version = batch.version and e.xid <> pg_current_xact_id()
       )
       select xid, position, count(*) over () as count from batch order by xid desc, position desc limit 1`,
      values,
    );
    await client.query("commit");
    return rows[0] ?? { count: 0, ...after };
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}
