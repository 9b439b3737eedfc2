// `npm run freeze`: writes the golden samples that services lack, of their events and states.
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { freeze } from "../mixins/testing/index.ts";
import { runCommand, UsageError } from "./command.ts";
import { serviceFile, serviceNames } from "./services.ts";

const HELP = `Writes a sample of every shape that a service records and that has none yet: of its events, in their
current version, and of its states. A sample that is there stays as it is.

  npm run freeze                 all services
  npm run freeze -- <service>…   these

Run it before a release, and commit what it writes: a test checks that every later release reads it. It exits with 1 when
today's code does not read a sample: give the event a new version and an upcaster.`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h", default: false } },
  });
  if (values.help) return console.log(HELP);
  const all = serviceNames();
  const unknown = positionals.find(name => !all.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no service "${unknown}", but ${all.join(", ")}`);
  let count = 0;
  for (const service of positionals.length > 0 ? positionals : all) {
    const contract = serviceFile(service, "contract.ts");
    if (!existsSync(contract)) continue;
    const folder = dirname(contract);
    for (const file of await freeze(folder)) {
      console.log(`written ${relative(process.cwd(), join(folder, file))}`);
      count++;
    }
  }
  console.log(count === 0 ? "every shape is frozen already" : `${count} written: commit them`);
}

await runCommand("freeze", main);
