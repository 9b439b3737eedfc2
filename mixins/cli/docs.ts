// `valence docs`: writes the pages that are generated from declarations.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Command } from "./command.ts";
import { configurationPage } from "./configuration-page.ts";
import { errorPage } from "./error-page.ts";
import { TABLE } from "./joining.ts";
import { eventPage } from "./event-page.ts";
import { channelsIn } from "./event-channels.ts";
import { cataloguesOf } from "../gateway/problems/catalogues.ts";
import { readEnvironment } from "../kernel/index.ts";
import { metricPage } from "./metric-page.ts";
import { operationsPage } from "./operations-page.ts";
import { doctorPage } from "../operations/doctor/checks.ts";
import { readProject } from "./project.ts";

const FOLDER = "docs";

const HELP = `Writes the generated pages into the project's folder ${FOLDER}:

  configuration.md    the environment variables and failpoints that the runtime and the services declare; the page's
                      text outside of its two marks stays
  operations.md       the operations, each with its command, its route and its permission; the text around stays too
  doctor.md           the checks of the doctor
  metrics.md          every metric of the runtime and of this project's services; likewise
  events.md           every durable event: its owner, its versions, its consumers; likewise
  errors.md           every error of the runtime and of this project's services, from their errors.ts

  npx valence docs`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  parseArgs({ args });
  const { folder, services, declared } = await readProject();
  mkdirSync(FOLDER, { recursive: true });
  rewrite("configuration.md", page => configurationPage(page, declared));
  rewrite("metrics.md", page => metricPage(page, declared));
  rewrite("operations.md", page => operationsPage(page, TABLE));
  const channels = await channelsIn(folder, services, readEnvironment({}, declared));
  rewrite("events.md", page => eventPage(page, channels));
  write(join(FOLDER, "doctor.md"), doctorPage());
  write(join(FOLDER, "errors.md"), errorPage(await cataloguesOf(resolve(folder))));
}

/** Writes a page anew from what it is, which is nothing where there is none. */
function rewrite(name: string, anew: (page: string) => string): void {
  const path = join(FOLDER, name);
  write(path, anew(existsSync(path) ? readFileSync(path, "utf8") : ""));
}

function write(path: string, text: string): void {
  writeFileSync(path, text);
  console.log(`${path} is written.`);
}
