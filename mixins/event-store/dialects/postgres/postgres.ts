// The Postgres dialect: batches through lanes of one connection each, reads through a pool.
import type { PostgresLocation } from "../../../database/index.ts";
import { connectionOf, isOfConnection, refused, Session, shardsOf, type Shard } from "../../../database/siblings.ts";
import { Bug, Misconfigured, Unavailable } from "../../../kernel/index.ts";
import { bucketOf } from "../../buckets.ts";
import type { Dialect } from "../../dialect.ts";
import { storeErrors } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { Lane } from "./lane.ts";
import { Reads } from "./reads.ts";
import { migrate } from "./schema.ts";

export interface PostgresShard extends Pick<Shard, "number" | "place"> {
  readonly dialect: Required<Dialect>;
}

/**
 * Opens every shard of the service's store, creating role, schema and tables as needed; `tell` gets messages of steps that take long. Throws Bug
 * `STORE_UNREADABLE`, `STORE_SCHEMA_NEWER`, `DATABASE_BUSY` or `DATABASE_UNAVAILABLE`, and the errors of `shardsOf`.
 */
export async function openPostgres(
  location: PostgresLocation,
  tell?: (message: string) => void,
): Promise<readonly PostgresShard[]> {
  try {
    const shards = await shardsOf(location);
    for (const shard of shards) await prepare(shard, location, tell);
    return shards.map(({ number, place, url }) => ({ number, place, dialect: open(url, location) }));
  } catch (error) {
    if ([Bug, Misconfigured, Unavailable].some(known => error instanceof known)) throw error;
    if (isOfConnection(error)) throw refused(error);
    const reason = (error as Error).message;
    throw storeErrors.STORE_UNREADABLE({ place: `schema ${location.schema}`, reason, cause: error });
  }
}

async function prepare(
  { url, place }: Shard,
  location: PostgresLocation,
  tell: (message: string) => void = () => {},
): Promise<void> {
  const client = new Session(connectionOf(url, location));
  client.on("error", () => {}); // a lost connection rejects the queries that wait for it
  try {
    await client.connect();
    const name = `${place}, schema ${location.schema}`;
    await migrate(client, name, message => tell(`${name}: ${message}`));
  } finally {
    await client.end().catch(() => {});
  }
}

function open(url: string, location: PostgresLocation): Required<Dialect> {
  const config = connectionOf(url, location);
  const lanes = Array.from({ length: limits.lanes }, () => new Lane(config));
  const reads = new Reads(config, location.poolSize);
  return {
    system: "postgresql",
    lanes: lanes.length,
    commit(appends, upkeep) {
      if (upkeep.length === 0 && appends.every(append => append.commandId === undefined))
        return reads.check(appends).then(verdicts => ({ verdicts, fencedUpkeep: [] }));
      const { stream } = (appends[0] ?? upkeep[0])!;
      return lanes[bucketOf(stream) % lanes.length]!.commit(appends, upkeep);
    },
    load: (stream, snapshotSchema) => reads.load(stream, snapshotSchema),
    readStream: (stream, from, limit) => reads.readStream(stream, from, limit),
    findCommand: (stream, commandId) => reads.findCommand(stream, commandId),
    readAll: (cursor, limit) => reads.readAll(cursor, limit),
    head: cursor => reads.head(cursor),
    identity: () => reads.identity(),
    streams: (after, limit) => reads.streams(after, limit),
    streamsByName: (after, limit) => reads.streamsByName(after, limit),
    streamCount: () => reads.streamCount(),
    dueTimers: (...asked) => reads.dueTimers(...asked),
    timers: (limit, after) => reads.timers(limit, after),
    search: (text, newest, limit) => reads.search(text, newest, limit),
    size: () => reads.size(),
    sagas: filter => reads.sagas(filter),
    quarantined: (limit, after) => reads.quarantined(limit, after),
    buckets: () => reads.buckets(),
    sagaStart: id => reads.sagaStart(id),
    now: () => reads.now(),
    poolUse: () => reads.poolUse(),
    async close() {
      await Promise.all([...lanes.map(lane => lane.close()), reads.close()]);
    },
  };
}
