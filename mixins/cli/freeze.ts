// `valence freeze`: writes the golden samples of events and states that services lack.
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { freeze } from "../testing/index.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject } from "./project.ts";

const HELP = `Writes samples of the events (in their current version) and states that services record, where there are none yet.
Existing samples stay as they are.

  npx valence freeze               all services
  npx valence freeze <service>…    these services

Run it before a release, and commit what it writes: a test checks that every later release reads it. It exits with 1 when
today's code does not read a sample: give the event a new version and an upcaster.`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
  const { folder, services: all } = await readProject();
  const unknown = positionals.find(name => !all.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no service "${unknown}", but ${all.join(", ")}`);
  let count = 0;
  for (const service of positionals.length > 0 ? positionals : all) {
    const home = resolve(folder, service);
    if (!existsSync(join(home, "contract.ts"))) continue;
    for (const file of await freeze(home)) {
      console.log(`written ${relative(process.cwd(), join(home, file))}`);
      count++;
    }
  }
  console.log(count === 0 ? "every shape is frozen already" : `${count} written: commit them`);
}
