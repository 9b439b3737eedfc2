import type { DatabaseLocation } from "../kernel/index.ts";
import { openPostgres } from "./dialects/postgres/postgres.ts";
import { openSqlite } from "./dialects/sqlite/sqlite.ts";
import type { EventStore } from "./event-store.ts";
import type { CommitObserver } from "./group-commit.ts";
import { storeOn } from "./store.ts";

export interface StoreOptions {
  /** Called after each commit. */
  readonly onCommit?: CommitObserver;
  /** Called when the writer has died and is started anew; nothing acknowledged is lost. */
  readonly onWriterDeath?: (cause: Error) => void;
}

/**
 * Opens the event store at a location, creating what is missing and bringing its tables up to date. Throws Bug
 * `STORE_UNREADABLE` or `STORE_SCHEMA_NEWER`.
 */
export async function openEventStore(location: DatabaseLocation, options: StoreOptions = {}): Promise<EventStore> {
  const dialect =
    location.kind === "sqlite"
      ? await openSqlite(location.filename, options.onWriterDeath)
      : await openPostgres(location);
  return storeOn(dialect, options.onCommit);
}
