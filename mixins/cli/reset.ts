// `valence reset`: removes the embedded databases, so that the next start is a first start. Only files of our services
// are removed, and only those with our tables in them: a path in the environment may be a mistake, and the database of
// another program must stay. Nothing is removed while a node runs on the files.
import { existsSync, globSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { databaseEnvironment } from "../database/index.ts";
import { mailFolder } from "../mail/index.ts";
import { socketFiles } from "../operations/socket/place.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject } from "./project.ts";
import { filesOf, isOpenElsewhere, isOurs, SIDE_FILES } from "./sqlite-files.ts";

const HELP = `Removes the embedded databases that the environment names, so that the next start is a first start.

  npx valence reset

Removes only files with the services' own tables, and the mails beside them; nothing while a node runs on them. Postgres and Redis stay as they are.`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  parseArgs({ args });
  const { services, environment } = await readProject();
  const databases = [...filesOf(environment, services).values()];
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
