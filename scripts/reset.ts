// `npm run reset`: removes the embedded databases, so that the next start is a first start. Only SQLite files of ours go,
// and none while a shop runs on them.
import { existsSync, globSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { EnvironmentError, readEnvironment, type Environment } from "../mixins/kernel/index.ts";
import { serviceNames } from "./services.ts";

const SQLITE_BUSY = 5;
const SIDE_FILES = ["", "-wal", "-shm", "-journal"];

try {
  const environment = readEnvironment();
  const databases = databasesOf(environment);
  const busy = databases.filter(isOpenElsewhere);
  if (busy.length > 0) {
    console.error(`Nothing removed: a shop is running on ${busy.join(", ")}. Stop it first.`);
    process.exitCode = 1;
  } else {
    for (const file of databases) for (const suffix of SIDE_FILES) rmSync(file + suffix, { force: true });
    const { dataDir } = environment;
    if (existsSync(dataDir) && readdirSync(dataDir).length === 0) rmdirSync(dataDir);
    console.log(databases.length > 0 ? `Removed ${databases.join(", ")}.` : "Nothing to remove.");
  }
} catch (error) {
  if (!(error instanceof EnvironmentError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

function databasesOf(environment: Environment): string[] {
  const services = serviceNames()
    .map(service => environment.databaseOf(service))
    .flatMap(location => (location.kind === "sqlite" ? [location.filename] : []));
  return [...new Set([...services, ...globSync(join(environment.dataDir, "*.sqlite"))])].filter(file =>
    existsSync(file),
  );
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
