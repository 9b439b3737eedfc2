// Events carry the number of the transaction that wrote them, and readers go by it. Rows from another server's dump
// have that server's numbers: readers wait for them until a start of the service has given them numbers of this server.
import { fail, ok, type Result } from "../../finding.ts";
import { eventTables } from "../../tables.ts";
import type { Schema } from "./schema.ts";

export async function logOf(schema: Schema): Promise<readonly Result[]> {
  if (!schema.names.has("events")) return [];
  const newest = eventTables(schema).map(
    table => `(select xid from ${table} order by xid desc, position desc limit 1)`,
  );
  const rows = await schema.rows<{ is_foreign: boolean }>(
    `select xid >= pg_snapshot_xmax(pg_current_snapshot()) as is_foreign from (${newest.join(" union all ")}) newest`,
  );
  if (!rows.some(({ is_foreign }) => is_foreign)) return [ok("log", "its transactions are this server's")];
  return [
    fail(
      "log",
      "its newest events have a transaction that this server has not had yet: it was restored from a dump",
      "restart the service: its start stamps them anew, and consumers read them again",
    ),
  ];
}
