import type { Database } from "./database.ts";
import { openPostgres } from "./dialects/postgres/open.ts";
import { openSqlite } from "./dialects/sqlite/open.ts";
import type { ReplicaObserver } from "./dialects/postgres/replica.ts";
import type { PoolObserver } from "./pool.ts";
import type { DatabaseLocation } from "./location.ts";

export interface DatabaseOptions {
  /**
   * Everything in it can be made again, from events or by asking others. A commit may then return before it is on disk
   * (SQLite: `synchronous=normal`, Postgres: `synchronous_commit=off`): a power failure can take the newest commits,
   * whole and in order; a crash of the process takes nothing, one of the Postgres server less than the last second.
   * Default false.
   */
  readonly rebuildable?: boolean;
  /** Called whenever a caller asks the pool for a connection. */
  readonly onAcquire?: PoolObserver | undefined;
  /** Called at every look at the standby, where there is one. */
  readonly onReplica?: ReplicaObserver | undefined;
}

export const openDatabase = (
  location: DatabaseLocation,
  { rebuildable = false, onAcquire, onReplica }: DatabaseOptions = {},
): Promise<Database> =>
  location.kind === "sqlite"
    ? openSqlite(location.filename, { rebuildable, onAcquire })
    : openPostgres(location, { rebuildable, onAcquire, onReplica });
