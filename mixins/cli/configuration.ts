// `npm run docs:configuration`: writes what is declared into docs/configuration.md.
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { runCommand } from "./command.ts";
import { configurationPage } from "./configuration-page.ts";
import { declared } from "./declared.ts";

const HELP = `Writes the environment variables and failpoints that the runtime and the services declare into docs/configuration.md.

  npm run docs:configuration

What stands outside of the two marks of the page is left as it is.`;

const PAGE = join(import.meta.dirname, "../../docs/configuration.md");

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { help: { type: "boolean", short: "h", default: false } } });
  if (values.help) return console.log(HELP);
  const page = existsSync(PAGE) ? await readFile(PAGE, "utf8") : "";
  await mkdir(dirname(PAGE), { recursive: true });
  await writeFile(PAGE, configurationPage(page, await declared()));
}

await runCommand("docs:configuration", main);
