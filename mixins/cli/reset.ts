// `valence reset`: removes the embedded databases, so that the next start is a first start. Only the files of our
// services go, and only those with our tables in them: a path in the environment may be a mistake, and another program's
// database is not ours to touch. None goes while a node runs on them.
import { existsSync, globSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { APPLICATION_ID, databaseEnvironment, locationOf } from "../database/index.ts";
import type { Environment } from "../kernel/index.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject } from "./project.ts";

const HELP = `Removes the embedded databases that the environment names, so that the next start is a first start.

  npx valence reset

Only files with the services' own tables go, and none while a node runs on them. Postgres and Redis are left as they are.`;

const SQLITE_BUSY = 5;
const SIDE_FILES = ["", "-wal", "-shm", "-journal"];
/** Every event store keeps the first, and every migrated database one of the second. */
const OUR_TABLES = /^CREATE TABLE \W?(store_schema|migrations_\w+)\b/i;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  parseArgs({ args });
  const { services, environment } = await readProject();
  const databases = databasesOf(environment, services);
  const foreign = databases.filter(file => !isOurs(file));
  if (foreign.length > 0)
    throw new UsageError(
      `Nothing removed: ${foreign.join(", ")}: not a database of these services. Move it away, or mend the path.`,
    );
  const busy = databases.filter(isOpenElsewhere);
  if (busy.length > 0) throw new UsageError(`Nothing removed: a node is running on ${busy.join(", ")}. Stop it first.`);
  for (const file of databases) for (const suffix of SIDE_FILES) rmSync(file + suffix, { force: true });
  const { DATA_DIR } = databaseEnvironment.of(environment);
  if (existsSync(DATA_DIR) && readdirSync(DATA_DIR).length === 0) rmdirSync(DATA_DIR);
  console.log(databases.length > 0 ? `Removed ${databases.join(", ")}.` : "Nothing to remove.");
}

/** The services' databases, and files in the data folder that a service keeps beside its own and has marked. */
function databasesOf(environment: Environment, services: readonly string[]): string[] {
  const locations = services.map(service => locationOf(environment, service));
  const own = locations.flatMap(location => (location.kind === "sqlite" ? [location.filename] : []));
  const { DATA_DIR } = databaseEnvironment.of(environment);
  const beside = globSync("*.sqlite", { cwd: DATA_DIR })
    .map(name => join(DATA_DIR, name))
    .filter(isMarked);
  return [...new Set([...own, ...beside])].filter(file => existsSync(file));
}

const isMarked = (file: string): boolean =>
  holds(file, database => Object.values(database.prepare("pragma application_id").get()!)[0] === APPLICATION_ID);

const isOurs = (file: string): boolean =>
  isMarked(file) ||
  holds(file, database => {
    const tables = database.prepare("select sql from sqlite_master where type = 'table'").all();
    return tables.some(({ sql }) => OUR_TABLES.test(String(sql)));
  });

/** Asks a file that may be anything; it is only read, and stays as it is. */
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
 * Whether another connection has the file open. A WAL database cannot leave WAL mode while one has, however idle it is,
 * and the lock goes with its process: a pid file would outlive a kill -9 and accuse whoever got the number next.
 */
function isOpenElsewhere(file: string): boolean {
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
