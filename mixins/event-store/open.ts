import { openPostgres, type PostgresShard } from "./dialects/postgres/postgres.ts";
import { openSqlite } from "./dialects/sqlite/sqlite.ts";
import type { EventStore } from "./event-store.ts";
import type { CommitObserver } from "./group-commit.ts";
import { shardedStore } from "./sharded-store.ts";
import { storeOn } from "./store.ts";
import type { DatabaseLocation } from "../database/index.ts";

export interface StoreOptions {
  /** Called after each commit. */
  readonly onCommit?: CommitObserver;
  /** Called when the writer has died and is started anew; nothing acknowledged is lost. */
  readonly onWriterDeath?: (cause: Error) => void;
  /**
   * Gets messages of steps that take long while the store opens: the events of a restored dump get new transaction ids
   * first.
   */
  readonly onOpening?: (message: string) => void;
  /** Told each database of the store on Postgres, once it is open. */
  readonly onShard?: (shard: Pick<PostgresShard, "place" | "dialect">) => void;
}

/**
 * Opens the event store at a location, creating what is missing and bringing its tables up to date. Throws Bug
 * `STORE_UNREADABLE`, `STORE_SCHEMA_NEWER`, `STORE_INCOMPLETE`, `SHARD_MISSING`, `SHARD_UNKNOWN` or `SHARD_TWICE`.
 */
export async function openEventStore(location: DatabaseLocation, options: StoreOptions = {}): Promise<EventStore> {
  if (location.kind === "sqlite")
    return storeOn(await openSqlite(location.filename, options.onWriterDeath), options.onCommit, {
      number: 0,
      place: location.filename,
    });
  const shards = (await openPostgres(location, options.onOpening)).map(shard => ({
    ...shard,
    store: storeOn(shard.dialect, options.onCommit, shard),
  }));
  for (const shard of shards) options.onShard?.(shard);
  return shards.length === 1 ? shards[0]!.store : shardedStore(shards);
}
