// `npm run reset`: removes the embedded databases, so that the next start is a first start. Only the files of our
// services go, and only those with our tables in them: a path in the environment may be a mistake, and another program's
// database is not ours to touch. None goes while a shop runs on them.
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { readEnvironment, type Environment } from "../kernel/index.ts";
import { runCommand, UsageError } from "./command.ts";
import { serviceNames } from "../operations/services.ts";

const HELP = `Removes the embedded databases that the environment names, so that the next start is a first start.

  npm run reset

Only files with the shop's own tables go, and none while a shop runs on them. Postgres and Redis are left as they are.`;

const SQLITE_BUSY = 5;
const SIDE_FILES = ["", "-wal", "-shm", "-journal"];
/** Kept by every event store, by whatever migrates tables, and by the payment provider. */
const OUR_TABLES = /^CREATE TABLE \W?(store_schema|migrations_\w+)\b|\bauthorizationId\b/i;
const PROVIDER = "payment-provider";

async function main(): Promise<void> {
  // Whoever asks what it does must not find out by it.
  const { values } = parseArgs({ options: { help: { type: "boolean", short: "h", default: false } } });
  if (values.help) return console.log(HELP);
  const services = serviceNames();
  const environment = readEnvironment(process.env, services);
  const databases = databasesOf(environment, [...services, PROVIDER]);
  const foreign = databases.filter(file => !isOurs(file));
  if (foreign.length > 0)
    throw new UsageError(
      `Nothing removed: ${foreign.join(", ")}: not a database of the shop. Move it away, or mend the path.`,
    );
  const busy = databases.filter(isOpenElsewhere);
  if (busy.length > 0) throw new UsageError(`Nothing removed: a shop is running on ${busy.join(", ")}. Stop it first.`);
  for (const file of databases) for (const suffix of SIDE_FILES) rmSync(file + suffix, { force: true });
  const { dataDir } = environment;
  if (existsSync(dataDir) && readdirSync(dataDir).length === 0) rmdirSync(dataDir);
  console.log(databases.length > 0 ? `Removed ${databases.join(", ")}.` : "Nothing to remove.");
}

/** The provider's book is a file also where the services' own are on Postgres. */
function databasesOf({ databaseOf, dataDir }: Environment, services: readonly string[]): string[] {
  const files = services.map(databaseOf).flatMap(location => (location.kind === "sqlite" ? [location.filename] : []));
  return [...new Set([...files, join(dataDir, `${PROVIDER}.sqlite`)])].filter(file => existsSync(file));
}

/** Reads only: whatever the file is, it stays as it is. */
function isOurs(file: string): boolean {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true });
    const tables = database.prepare("select sql from sqlite_master where type = 'table'").all();
    return tables.some(({ sql }) => OUR_TABLES.test(String(sql)));
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

await runCommand("reset", main);
