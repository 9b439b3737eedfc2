// `valence accept-copy`: takes a database file that was copied without its write-ahead log for what it is.
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { isTornCopy, locationOf, SEEN } from "../database/index.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject } from "./project.ts";

const HELP = `Takes a database file that was copied without its write-ahead log (<file>-wal) for what it is. What lay in the log is
lost: whatever was written last. A start refuses such a file until then.

  npx valence accept-copy <service>

Bring the log back, or a backup that is whole, rather than this. What has read from the database stands still
afterwards if it has read more than is left: see npx valence consumer --help.`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  const { positionals } = parseArgs({ args, allowPositionals: true });
  const [service] = positionals;
  const { services: all, environment } = await readProject();
  if (service === undefined || positionals.length > 1) throw new UsageError(`name one service\n\n${HELP}`);
  if (!all.includes(service)) throw new UsageError(`there is no service "${service}", but ${all.join(", ")}`);
  const location = locationOf(environment, service);
  if (location.kind !== "sqlite") throw new UsageError(`${service} is on Postgres`);
  const { filename } = location;
  if (!existsSync(filename)) throw new UsageError(`there is no ${filename}`);
  if (!isTornCopy(filename)) return console.log(`${filename} lacks nothing that it would know of: nothing is changed.`);
  const database = new DatabaseSync(filename, { timeout: 5_000 });
  try {
    const [{ quick_check: found }] = database.prepare("pragma quick_check(1)").all() as [{ quick_check: string }];
    if (found !== "ok") throw new UsageError(`${filename} is damaged as well, and stays as it is: ${found}`);
    database.exec(SEEN);
  } finally {
    database.close();
  }
  console.log(`${filename} is taken as it is.`);
}
