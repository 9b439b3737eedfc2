// Connections: how many there are, how many there may be, and which sessions wait for which.
import { count, duration, fail, ok, warn, type Result } from "../../finding.ts";
import { limits } from "../../limits.ts";
import type { Connection } from "./connection.ts";

/** `wanted`: connections that one process of each service may open here. */
export async function connectionsOf(connection: Connection, wanted: number): Promise<readonly Result[]> {
  const [{ open, most }] = await connection.read(ask =>
    ask(
      `select (select sum(numbackends) from pg_stat_database) as open,
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true), '0')::int as most`,
    ),
  );
  const message = `${open} of ${most} open; one process of each service may open ${wanted}`;
  const advice = "raise max_connections, lower DATABASE_POOL_SIZE, or put PgBouncer between";
  if (open >= limits.connections.fail * most) return [fail("connections", message, advice)];
  if (open >= limits.connections.warn * most || wanted > most) return [warn("connections", message, advice)];
  return [ok("connections", message)];
}

export async function waitingOf(connection: Connection): Promise<readonly Result[]> {
  const rows = await connection.read(ask =>
    ask(
      `select pid, concat_ws(', ', usename || ' on ' || datname, nullif(application_name, '')) as who,
         extract(epoch from clock_timestamp() - query_start) * 1000 as ms, pg_blocking_pids(pid) as behind
       from pg_stat_activity where wait_event_type = 'Lock' and query_start is not null order by query_start`,
    ),
  );
  const [longest] = rows;
  if (!longest || longest.ms < limits.lockMs) return [ok("waiting", count(rows.length, "session"))];
  return [
    warn(
      "waiting",
      `${count(rows.length, "session")} for a lock, pid ${longest.pid} (${longest.who}) for ${duration(longest.ms)} behind pid ${longest.behind.join(", ")}`,
      `select * from pg_stat_activity where pid in (${longest.behind.join(", ")}) says what that one does`,
    ),
  ];
}
