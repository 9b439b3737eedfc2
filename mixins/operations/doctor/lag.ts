// How far each consumer is behind the logs that it reads, in events and in time.
import { digestOf, partsOf } from "../../event-store/index.ts";
import { rfc3339 } from "../../kernel/index.ts";
import { markIn, presentRows, reachedBy, serviceOf, stoppedOf } from "../../stream/siblings.ts";
import { count, duration, fail, ok, warn, type Result } from "./finding.ts";
import { limits } from "./limits.ts";
import { eventTables, type Service, type Tables, type Unread } from "./tables.ts";

/** Columns of a row; an earlier release lacks the last two. */
interface Checkpoint {
  readonly consumer: string;
  readonly source: string;
  readonly partition: string;
  readonly cursor: string;
  readonly revision: number;
  readonly mark?: string | null;
  readonly stopped?: string | null;
}

export async function lagOf(tables: Tables, services: ReadonlyMap<string, Service>): Promise<readonly Result[]> {
  if (!tables.names.has("checkpoints")) return [];
  const rows = await tables.rows<Checkpoint>("select * from checkpoints order by consumer, source, partition");
  const results: Result[] = [];
  for (const own of Map.groupBy(rows, ({ consumer, source }) => `${consumer} on ${source}`).values())
    results.push(await lagAt(reached(presentRows(own)), tables, services.get(serviceOf(own[0]!.source))));
  return results;
}

/** Where all partitions of a consumer have come to in one log. */
function reached(rows: readonly Checkpoint[]): Checkpoint {
  const cursor = reachedBy(rows);
  const at = rows.find(row => row.cursor === cursor) ?? { ...rows[0]!, cursor, mark: null };
  return { ...at, stopped: rows.find(row => row.stopped)?.stopped ?? null };
}

async function lagAt(at: Checkpoint, tables: Tables, owner: Service | undefined): Promise<Result> {
  const name = `${at.consumer} on ${at.source}`;
  const logs = owner?.databases.filter(({ names }) => names.has("events")) ?? [];
  if (logs.length === 0)
    return warn(
      "lag",
      `${name}: the log of ${at.source} cannot be found`,
      "is its database reachable? If that service is gone, remove the checkpoint",
    );
  const places = placesOf(at.cursor);
  const unread = await Promise.all(logs.map(log => log.after(places.get(log.shard) ?? "")));
  const stopped = stoppedOf(at)?.reason;
  const reason = unread.some(({ isAhead }) => isAhead) ? "it lies past the log's end" : await faultOf(at, logs);
  if (reason !== undefined || stopped !== undefined)
    return fail(
      "lag",
      `${name}: its place is not in the log, ${at.source} is an older copy or another one: ${reason ?? stopped}`,
      "bring the newer log back, or see npm run consumer -- --help: it stands still until then",
    );
  const events = unread.reduce((sum, log) => sum + log.events, 0);
  if (events === 0) return ok("lag", `${name}: 0 events`);
  const oldestMs = Math.max(...unread.map(log => log.oldestMs));
  const message = `${name}: ${counted(unread, events)}, the oldest waits for ${duration(oldestMs)}`;
  if (oldestMs < limits.lagMs.warn) return ok("lag", message);
  const advice = await cause(at, tables);
  return oldestMs < limits.lagMs.fail ? warn("lag", message, advice) : fail("lag", message, advice);
}

/**
 * Whether the last event before the checkpoint is in the log, unchanged. An event that has moved is on another shard.
 */
async function faultOf({ cursor, ...row }: Checkpoint, logs: readonly Tables[]): Promise<string | undefined> {
  const mark = markIn(row);
  const parts = (mark && partsOf(mark)) || {};
  for (const [shard, place] of placesOf(cursor)) {
    const [, stream, version, digest] = parts[shard] ?? [];
    if (place === "" || stream === undefined || version === undefined) continue;
    const tables = logs.flatMap(log => eventTables(log).map(table => ({ log, table })));
    const found = await Promise.all(
      tables.map(({ log, table }) =>
        log.rows(
          `select e.type, e.schema_version, e.data, e.metadata, e.recorded_at from ${table} e
           join streams s on s.id = e.stream where s.name = $1 and e.version = $2`,
          [stream, version],
        ),
      ),
    );
    const digests = found.flat().map(({ schema_version: schemaVersion, recorded_at, ...event }) =>
      digestOf(place, {
        ...event,
        stream,
        version,
        schemaVersion,
        at: rfc3339(recorded_at),
      }),
    );
    if (!digests.includes(digest!))
      return `${stream}@${version} is ${digests.length > 0 ? "another one there" : "not there"}`;
  }
  return undefined;
}

const counted = (unread: readonly Unread[], events: number): string =>
  (unread.some(log => log.events > limits.lagEvents) ? "more than " : "") + count(events, "event");

/** A process holds the lease of every partition that is read. */
async function cause({ consumer, partition }: Checkpoint, tables: Tables): Promise<string> {
  const [row] = await tables.rows("select holder, expires_at from leases where name = $1", [
    `${consumer}/${partition}`,
  ]);
  const [host, pid] = String(row?.holder).split("/");
  return row && row.expires_at > (await tables.now())
    ? `process ${pid} on ${host} runs it: see its log, and whether transactions hold up the readers`
    : "no process runs it: start one with this service";
}

/** `<shard>=<checkpoint>`, commas between; a checkpoint without a shard is that of shard 0. */
function placesOf(cursor: string): Map<number, string> {
  const parts = cursor.split(",").map(part => part.split("=").toReversed());
  return new Map(parts.map(([place, shard]): [number, string] => [Number(shard ?? 0), place!]));
}
