// The SQLite files of a project, for the commands that remove, copy and replace them.
import { existsSync, globSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { APPLICATION_ID, databaseEnvironment, locationOf } from "../database/index.ts";
import type { Environment } from "../kernel/index.ts";

const SQLITE_BUSY = 5;
/** Suffixes of a database and of the files that SQLite puts beside it. */
export const SIDE_FILES = ["", "-wal", "-shm", "-journal"];
/** Every event store has the first table, and every migrated database one of the second kind. */
const OUR_TABLES = /^CREATE TABLE \W?(store_schema|migrations_\w+)\b/i;

/**
 * The files that exist: the services' databases by the services' names, and the marked files that a service keeps beside
 * its own in the data folder, by their own names without the suffix.
 */
export function filesOf(environment: Environment, services: readonly string[]): ReadonlyMap<string, string> {
  const { DATA_DIR } = databaseEnvironment.of(environment);
  const files = new Map<string, string>();
  const add = (name: string, file: string): void => {
    const isKnown = [...files.values()].some(known => resolve(known) === resolve(file));
    if (!isKnown && existsSync(file)) files.set(name, file);
  };
  for (const service of services) {
    const location = locationOf(environment, service);
    if (location.kind === "sqlite") add(service, location.filename);
  }
  for (const name of globSync("*.sqlite", { cwd: DATA_DIR }))
    if (isMarked(join(DATA_DIR, name))) add(basename(name, ".sqlite"), join(DATA_DIR, name));
  return files;
}

const isMarked = (file: string): boolean =>
  holds(file, database => Object.values(database.prepare("pragma application_id").get()!)[0] === APPLICATION_ID);

/** Whether the file is a database of services: a path in the environment may be a mistake. */
export const isOurs = (file: string): boolean =>
  isMarked(file) ||
  holds(file, database => {
    const tables = database.prepare("select sql from sqlite_master where type = 'table'").all();
    return tables.some(({ sql }) => OUR_TABLES.test(String(sql)));
  });

/** Checks a file that may be anything; it only reads it. */
function holds(file: string, ask: (database: DatabaseSync) => boolean): boolean {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true });
    return ask(database);
  } catch {
    return false;
  } finally {
    database?.close();
  }
}

/**
 * Whether another connection has the file open. A WAL database cannot leave WAL mode while one has, even an idle one,
 * and the lock ends with its process. A pid file would outlive a kill -9, and then name whichever process got the
 * number next. If none has, the log is moved into the file.
 */
export function isOpenElsewhere(file: string): boolean {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec("PRAGMA journal_mode=DELETE");
    return false;
  } catch (error) {
    return (error as { errcode?: number }).errcode === SQLITE_BUSY;
  } finally {
    database.close();
  }
}
