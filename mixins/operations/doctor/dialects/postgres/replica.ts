// Whether a read replica is a standby of its primary, and how far behind it is.
import { setTimeout as sleep } from "node:timers/promises";
import { duration, fail, megabytes, ok, warn, type Result } from "../../finding.ts";
import { limits } from "../../limits.ts";
import type { Connection } from "./connection.ts";

const LOOK_MS = 50;
const IDENTITY = "select system_identifier::text as id from pg_control_system()";

export async function replicaOf(replica: Connection, primary: Connection): Promise<readonly Result[]> {
  const [{ is_standby }] = await replica.read(ask => ask("select pg_is_in_recovery() as is_standby"));
  const { place } = replica;
  if (!is_standby)
    return [
      fail(
        "replica",
        `${place} is no standby: it is never read`,
        "name a standby, or make one of it; was it promoted?",
      ),
    ];
  const [ours] = await primary.read(ask => ask(IDENTITY));
  const [theirs] = await replica.read(ask => ask(IDENTITY));
  if (ours.id !== theirs.id)
    return [
      fail("replica", `${place} is a standby of another server than ${primary.server}`, "name one of this primary"),
    ];
  return [await lagOf(replica, primary)];
}

/** Waits for what is committed now, as a reader of its own writes does. */
async function lagOf(replica: Connection, primary: Connection): Promise<Result> {
  const began = performance.now();
  const [{ position }] = await primary.read(ask => ask("select pg_current_wal_lsn()::text as position"));
  for (;;) {
    const [{ bytes }] = await replica.read(ask =>
      ask("select pg_wal_lsn_diff($1::pg_lsn, coalesce(pg_last_wal_replay_lsn(), '0/0')) as bytes", [position]),
    );
    const ms = performance.now() - began;
    if (bytes <= 0) return ok("replica", `${replica.place} holds what was written ${duration(ms)} ago`);
    if (ms >= limits.replicaMs)
      return warn(
        "replica",
        `${replica.place} is more than ${duration(limits.replicaMs)} behind, by ${megabytes(bytes)}: reads go to the primary`,
        "see its log: does it receive, and replay? A long query on it may hold up the replay",
      );
    await sleep(LOOK_MS);
  }
}
