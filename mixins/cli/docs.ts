// `valence docs`: writes the pages that are generated from declarations.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Command } from "./command.ts";
import { cataloguesOf, errorPage } from "./error-page.ts";
import { enterProject, serviceFolder } from "./project.ts";

const HELP = `Writes the pages that are generated, in the project's folder docs:

  errors.md    every error of the runtime and of this project's services, from their errors.ts

  npx valence docs`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  parseArgs({ args });
  enterProject();
  const pages = { "errors.md": errorPage(await cataloguesOf(resolve(serviceFolder().folder))) };
  mkdirSync("docs", { recursive: true });
  for (const [name, text] of Object.entries(pages)) {
    const path = join("docs", name);
    writeFileSync(path, text);
    console.log(`${path} is written.`);
  }
}
