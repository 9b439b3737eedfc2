// `valence reset`: removes the embedded databases, so that the next start is a first start. Only files of our services
// are removed, and only those with our tables in them: a path in the environment may be a mistake, and the database of
// another program must stay. Nothing is removed while a node runs on the files.
import { existsSync, globSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { APPLICATION_ID, databaseEnvironment, locationOf } from "../database/index.ts";
import type { Environment } from "../kernel/index.ts";
import { mailFolder } from "../mail/index.ts";
import { socketFiles } from "../operations/socket/place.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject } from "./project.ts";

const HELP = `Removes the embedded databases that the environment names, so that the next start is a first start.

  npx valence reset

Removes only files with the services' own tables, and the mails beside them; nothing while a node runs on them. Postgres and Redis stay as they are.`;

const SQLITE_BUSY = 5;
const SIDE_FILES = ["", "-wal", "-shm", "-journal"];
/** Every event store has the first table, and every migrated database one of the second kind. */
const OUR_TABLES = /^CREATE TABLE \W?(store_schema|migrations_\w+)\b/i;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  parseArgs({ args });
  const { services, environment } = await readProject();
  const databases = databasesOf(environment, services);
  const foreign = databases.filter(file => !isOurs(file));
  if (foreign.length > 0)
    throw new UsageError(
      `Nothing removed: ${foreign.join(", ")}: not a database of these services. Move it away, or correct the path.`,
    );
  const busy = databases.filter(isOpenElsewhere);
  if (busy.length > 0) throw new UsageError(`Nothing removed: a node is running on ${busy.join(", ")}. Stop it first.`);
  for (const file of databases) for (const suffix of SIDE_FILES) rmSync(file + suffix, { force: true });
  const { DATA_DIR } = databaseEnvironment.of(environment);
  removeMails(mailFolder(DATA_DIR));
  // Sockets that killed processes have left: a process that runs has its databases open, and stops the reset before.
  for (const socket of socketFiles(DATA_DIR)) rmSync(socket, { force: true });
  if (existsSync(DATA_DIR) && readdirSync(DATA_DIR).length === 0) rmdirSync(DATA_DIR);
  console.log(databases.length > 0 ? `Removed ${databases.join(", ")}.` : "Nothing to remove.");
}

/** Mails to people whose accounts are gone; files of another name stay, and with them the folder. */
function removeMails(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of globSync("[0-9a-f]*-*-*-*-*.eml", { cwd: folder })) rmSync(join(folder, name));
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}

/** The services' databases, and the marked files that a service keeps beside its own in the data folder. */
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
 * number next.
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
