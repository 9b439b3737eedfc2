// `valence configuration`: writes the declared variables and failpoints into docs/configuration.md.
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import type { Command } from "./command.ts";
import { configurationPage } from "./configuration-page.ts";
import { readProject } from "./project.ts";

const PAGE = "docs/configuration.md";

const HELP = `Writes the environment variables and failpoints that the runtime and the services declare into ${PAGE}.

  npx valence configuration

Text outside of the two marks of the page stays.`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  parseArgs({ args });
  const { declared } = await readProject();
  const page = existsSync(PAGE) ? await readFile(PAGE, "utf8") : "";
  await mkdir(dirname(PAGE), { recursive: true });
  await writeFile(PAGE, configurationPage(page, declared));
}
