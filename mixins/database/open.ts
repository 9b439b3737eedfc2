import type { DatabaseLocation } from "../kernel/index.ts";
import type { Database } from "./database.ts";
import { openPostgres } from "./dialects/postgres/open.ts";
import { openSqlite } from "./dialects/sqlite/open.ts";

export interface DatabaseOptions {
  /**
   * Everything in it can be made again, from events or by asking others. A commit may then return before it is on disk
   * (SQLite: `synchronous=normal`): a power failure can take the newest commits, whole and in order; a crash of the
   * process takes nothing. Default false.
   */
  readonly rebuildable?: boolean;
}

export const openDatabase = (location: DatabaseLocation, options: DatabaseOptions = {}): Promise<Database> =>
  location.kind === "sqlite"
    ? openSqlite(location.filename, { rebuildable: options.rebuildable ?? false })
    : openPostgres(location, { rebuildable: options.rebuildable ?? false });
