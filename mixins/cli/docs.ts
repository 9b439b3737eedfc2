// `valence docs`: writes the pages that are generated from declarations.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Command } from "./command.ts";
import { configurationPage } from "./configuration-page.ts";
import { cataloguesOf, errorPage } from "./error-page.ts";
import { doctorPage } from "../operations/doctor/checks.ts";
import { readProject } from "./project.ts";

const FOLDER = "docs";

const HELP = `Writes the generated pages into the project's folder ${FOLDER}:

  configuration.md    the environment variables and failpoints that the runtime and the services declare; the page's
                      text outside of its two marks stays
  doctor.md           the checks of the doctor
  errors.md           every error of the runtime and of this project's services, from their errors.ts

  npx valence docs`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  parseArgs({ args });
  const { folder, declared } = await readProject();
  mkdirSync(FOLDER, { recursive: true });
  const configuration = join(FOLDER, "configuration.md");
  const page = existsSync(configuration) ? readFileSync(configuration, "utf8") : "";
  write(configuration, configurationPage(page, declared));
  write(join(FOLDER, "doctor.md"), doctorPage());
  write(join(FOLDER, "errors.md"), errorPage(await cataloguesOf(resolve(folder))));
}

function write(path: string, text: string): void {
  writeFileSync(path, text);
  console.log(`${path} is written.`);
}
