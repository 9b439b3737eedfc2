// How far each consumer is behind the logs that it reads, in events and in time.
import { count, duration, fail, ok, warn, type Result } from "./finding.ts";
import { limits } from "./limits.ts";
import type { Service, Tables, Unread } from "./tables.ts";

interface Checkpoint {
  readonly consumer: string;
  readonly source: string;
  readonly partition: string;
  readonly cursor: string;
}

export async function lagOf(tables: Tables, services: ReadonlyMap<string, Service>): Promise<readonly Result[]> {
  if (!tables.names.has("checkpoints")) return [];
  const checkpoints = await tables.rows<Checkpoint>(
    "select consumer, source, partition, cursor from checkpoints order by consumer, source, partition",
  );
  const results: Result[] = [];
  for (const checkpoint of checkpoints) results.push(await lagAt(checkpoint, tables, services.get(checkpoint.source)));
  return results;
}

async function lagAt(at: Checkpoint, tables: Tables, owner: Service | undefined): Promise<Result> {
  const name = `${at.consumer} on ${at.source}`;
  const logs = owner?.databases.filter(({ names }) => names.has("events")) ?? [];
  if (logs.length === 0)
    return warn(
      "lag",
      `${name}: the log of ${at.source} is not to be found`,
      "is its database reachable? If that service is gone, remove the checkpoint",
    );
  const places = placesOf(at.cursor);
  const unread = await Promise.all(logs.map(log => log.after(places.get(log.shard) ?? "")));
  if (unread.some(({ isAhead }) => isAhead))
    return fail(
      "lag",
      `${name}: has read what the log does not have; ${at.source} is an older copy`,
      "restore the newer one, or rebuild what was read: the consumer passes over what is written next",
    );
  const events = unread.reduce((sum, log) => sum + log.events, 0);
  if (events === 0) return ok("lag", `${name}: 0 events`);
  const oldestMs = Math.max(...unread.map(log => log.oldestMs));
  const message = `${name}: ${counted(unread, events)}, the oldest waits for ${duration(oldestMs)}`;
  if (oldestMs < limits.lagMs.warn) return ok("lag", message);
  const advice = await cause(at, tables);
  return oldestMs < limits.lagMs.fail ? warn("lag", message, advice) : fail("lag", message, advice);
}

const counted = (unread: readonly Unread[], events: number): string =>
  (unread.some(log => log.events > limits.lagEvents) ? "more than " : "") + count(events, "event");

/** Somebody holds the lease of every consumer that runs. */
async function cause({ consumer, source, partition }: Checkpoint, tables: Tables): Promise<string> {
  const lease = [`${consumer}/${source}/${partition}`];
  const [row] = await tables.rows("select holder, expires_at from leases where name = $1", lease);
  const [host, pid] = String(row?.holder).split("/");
  return row && row.expires_at > (await tables.now())
    ? `process ${pid} on ${host} runs it: see its log, and whether transactions hold up the readers`
    : "no process runs it: start one with this service";
}

/** `<shard>=<place>`, commas between; a place alone is that of shard 0. */
function placesOf(cursor: string): Map<number, string> {
  const parts = cursor.split(",").map(part => part.split("=").toReversed());
  return new Map(parts.map(([place, shard]): [number, string] => [Number(shard ?? 0), place!]));
}
