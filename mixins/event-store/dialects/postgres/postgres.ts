// The Postgres dialect: batches through lanes of one connection each, reads through a pool.
import pg from "pg";
import { connectionOf, prepareDatabase } from "../../../database/mixin.ts";
import { Bug, Unavailable, type PostgresLocation } from "../../../kernel/index.ts";
import { bucketOf } from "../../buckets.ts";
import type { Dialect } from "../../dialect.ts";
import { limits } from "../../limits.ts";
import { Lane } from "./lane.ts";
import { Reads } from "./reads.ts";
import { migrate } from "./schema.ts";

/**
 * Opens the service's schema, creating role, schema and tables as needed. Throws Bug `STORE_UNREADABLE` or
 * `STORE_SCHEMA_NEWER`.
 */
export async function openPostgres(location: PostgresLocation): Promise<Dialect> {
  const [url] = location.shards;
  const config = connectionOf(url!, location);
  await prepare(url!, location);
  const lanes = Array.from({ length: limits.lanes }, () => new Lane(config));
  const reads = new Reads(config, location.poolSize);
  return {
    lanes: lanes.length,
    commit(appends, upkeep) {
      if (upkeep.length === 0 && appends.every(append => append.commandId === undefined)) return reads.check(appends);
      const { stream } = (appends[0] ?? upkeep[0])!;
      return lanes[bucketOf(stream) % lanes.length]!.commit(appends, upkeep);
    },
    load: (stream, snapshotSchema) => reads.load(stream, snapshotSchema),
    readStream: (stream, from, limit) => reads.readStream(stream, from, limit),
    findCommand: (stream, commandId) => reads.findCommand(stream, commandId),
    readAll: (cursor, limit) => reads.readAll(cursor, limit),
    head: cursor => reads.head(cursor),
    streams: (after, limit) => reads.streams(after, limit),
    dueTimers: limit => reads.dueTimers(limit),
    sagas: filter => reads.sagas(filter),
    quarantined: limit => reads.quarantined(limit),
    now: () => reads.now(),
    async close() {
      await Promise.all([...lanes.map(lane => lane.close()), reads.close()]);
    },
  };
}

async function prepare(url: string, location: PostgresLocation): Promise<void> {
  const place = `${new URL(url).host}${new URL(url).pathname}, schema ${location.schema}`;
  const client = new pg.Client(connectionOf(url, location));
  client.on("error", () => {});
  try {
    await prepareDatabase(url, location);
    await client.connect();
    await migrate(client, place);
  } catch (error) {
    if (error instanceof Bug || error instanceof Unavailable) throw error;
    throw new Bug("STORE_UNREADABLE", `${place}: cannot be opened as an event store: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    await client.end().catch(() => {});
  }
}
