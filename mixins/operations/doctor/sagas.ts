// Sagas that wait for a person, and open ones that no process drives.
import { minutes } from "../../kernel/index.ts";
import { SAGA_LIMITS } from "../../saga/mixin.ts";
import { count, duration, fail, ok, warn, type Result } from "./finding.ts";
import type { Tables } from "./tables.ts";

/** Milliseconds: longer than a saga without progress takes to be parked, with some rounds of the watchdog. */
const STILL_MS = SAGA_LIMITS.stuckAfterMs + minutes(5);

export async function sagasOf(tables: Tables): Promise<readonly Result[]> {
  if (!tables.names.has("sagas")) return [];
  const now = await tables.now();
  const [row] = await tables.rows(
    `select coalesce(sum(case when g.state = 'stuck' then 1 else 0 end), 0) as stuck, min(case when g.state = 'stuck' then g.updated_at end) as since,
       coalesce(sum(case when g.state <> 'stuck' then 1 else 0 end), 0) as moving,
       coalesce(sum(case when g.state <> 'stuck' and g.updated_at < $1 then 1 else 0 end), 0) as still
     from ${tables.ownStreams} join sagas g on g.stream = s.id where g.state in ('running', 'compensating', 'stuck')`,
    [now - STILL_MS],
  );
  const results: Result[] = [];
  if (row.stuck > 0)
    results.push(
      fail(
        "sagas",
        `${count(row.stuck, "saga")} stuck, the first for ${duration(now - row.since)}`,
        "GET /ops/sagas?state=stuck says why, then POST /ops/sagas/:id/retry or /compensate",
      ),
    );
  if (row.still > 0)
    results.push(
      warn(
        "sagas",
        `${count(row.still, "saga")} open and still for more than ${duration(STILL_MS)}`,
        "does a process run this service? Its watchdog takes them up",
      ),
    );
  return results.length > 0 ? results : [ok("sagas", `0 stuck, ${row.moving} open`)];
}
