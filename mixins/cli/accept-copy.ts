// `valence accept-copy`: accepts a database file that was copied without its write-ahead log.
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { isTornCopy, locationOf, SEEN } from "../database/index.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject } from "./project.ts";

const HELP = `Accepts a database file that was copied without its write-ahead log (<file>-wal). The records in that log, which were
written last, are lost. A start refuses such a file until it is accepted.

  npx valence accept-copy <service>

If you still have the log or a complete backup, restore that instead. A consumer that had read more events than the
file still has stands still afterwards: see npx valence consumer --help.`;

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
  if (!isTornCopy(filename)) return console.log(`${filename} is complete as far as can be seen: nothing is changed.`);
  const database = new DatabaseSync(filename, { timeout: 5_000 });
  try {
    const [{ quick_check: found }] = database.prepare("pragma quick_check(1)").all() as [{ quick_check: string }];
    if (found !== "ok") throw new UsageError(`${filename} is also damaged, and is not accepted: ${found}`);
    database.exec(SEEN);
  } finally {
    database.close();
  }
  console.log(`${filename} is accepted.`);
}
