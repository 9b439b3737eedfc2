// `valence restore`: puts the databases of a backup in their places.
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { databaseEnvironment, locationOf } from "../database/index.ts";
import type { Environment } from "../kernel/index.ts";
import { examineLag } from "../operations/doctor/examination.ts";
import { readManifest, verify, type Manifest, type Part } from "./backup/manifest.ts";
import { assertClosed, isTaken, putInPlace, type Target } from "./backup/sqlite-restore.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject, type Project } from "./project.ts";

const HELP = `Puts the databases of a backup in the places that the environment names. The services must be stopped.

  npx valence restore <folder>                    all that the backup has
  npx valence restore <folder> <service> …        only these
  npx valence restore <folder> --check            only reads the backup whole, and says whether it is complete

  --replace    also where there is a database already; that one is kept beside it, as <file>-replaced_<time>

Before it writes anything it compares every file with the manifest: a backup that was cut off or changed is refused.

After a restore of some services the others know what the restored ones have lost. The command lists the consumers that will
stand still, and docs/restore.md says how to go on. If all are restored, nothing is to be done.`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { check: { type: "boolean", default: false }, replace: { type: "boolean", default: false } },
  });
  const [named, ...names] = positionals;
  if (named === undefined) throw new UsageError(`name the folder of the backup\n\n${HELP}`);
  // Before the project's folder becomes the working one.
  const folder = resolve(named);
  const project = await readProject();
  const manifest = readManifest(folder);
  const parts = partsOf(manifest, names);
  for (const part of parts) await verify(folder, part);
  console.log(`The backup of ${manifest.at} is complete: ${parts.map(({ name }) => name).join(", ")}.`);
  if (values.check) return;
  const targets = parts.map(part => ({ part, place: placeOf(project, part) }));
  const taken = targets.filter(({ place }) => isTaken(place));
  if (taken.length > 0 && !values.replace)
    throw new UsageError(
      `nothing was restored: ${taken.map(({ place }) => place).join(", ")} ` +
        "exists already. Move it away, or add --replace, which keeps it beside the new one",
    );
  for (const target of targets) assertClosed(target);
  const kept = `-replaced_${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  putInPlace(folder, targets, kept);
  for (const target of targets) console.log(lineOf(target, taken.includes(target) ? kept : undefined));
  await tellConsequences(project, manifest, parts);
}

function partsOf({ parts }: Manifest, names: readonly string[]): readonly Part[] {
  const unknown = names.find(name => parts.every(part => part.name !== name));
  if (unknown !== undefined)
    throw new UsageError(`the backup has no "${unknown}", but ${parts.map(({ name }) => name).join(", ")}`);
  return names.length === 0 ? parts : parts.filter(({ name }) => names.includes(name));
}

function placeOf({ environment, services }: Project, { name, file }: Part): string {
  if (!services.includes(name)) return besideOf(environment, file);
  const location = locationOf(environment, name);
  if (location.kind === "sqlite") return location.filename;
  throw new UsageError(`the backup of ${name} is of SQLite, but the environment names Postgres for it`);
}

/** A file that a service keeps beside its own. */
const besideOf = (environment: Environment, file: string): string =>
  join(databaseEnvironment.of(environment).DATA_DIR, file);

const lineOf = ({ part, place }: Target, kept: string | undefined): string =>
  `${part.name}: ${place}${kept === undefined ? "" : `; what was there is ${place}${kept}`}`;

/** Lists the consumers whose checkpoints are not in the logs that are there now. */
async function tellConsequences(
  { folder, services: all, environment }: Project,
  { at, parts }: Manifest,
  restored: readonly Part[],
): Promise<void> {
  const findings = await examineLag(environment, { folder, all });
  const stopped = findings.filter(({ status, message }) => status === "FAIL" && message.includes("not in the log"));
  for (const { subject, message } of stopped) console.log(`${subject}: ${message}`);
  if (stopped.length > 0)
    console.log(
      "These consumers will stand still. Start the services, and then go on with npx valence consumer: see docs/restore.md.",
    );
  const others = parts.filter(part => !restored.includes(part)).map(({ name }) => name);
  if (others.length > 0)
    console.log(`${others.join(", ")} stay as they were, and may know what was lost since ${at}: see docs/restore.md.`);
}
