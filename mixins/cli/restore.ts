// `valence restore`: puts the databases of a backup in their places.
import { closeSync, existsSync, openSync, realpathSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { databaseEnvironment, locationOf } from "../database/index.ts";
import { consequencesOf } from "../operations/doctor/examination.ts";
import { count } from "../operations/doctor/finding.ts";
import { readManifest, verify, type Manifest, type Part } from "./backup/manifest.ts";
import { putInDatabase, schemaTargets, type SchemaTarget } from "./backup/postgres-restore.ts";
import { assertClosed, isTaken, putInPlace, type Target } from "./backup/sqlite-restore.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject, type Project } from "./project.ts";

const HELP = `Puts the databases of a backup in the places that the environment names. The services must be stopped.

  npx valence restore <folder>                    all that the backup has
  npx valence restore <folder> <service> …        only these
  npx valence restore <folder> --check            only reads the backup whole, and says whether it is complete

  --replace    also where there is a database already; that one is kept beside it: as the file <file>-replaced_<time>, or as the
               schema <schema>_replaced_<time>
  --report <file>    writes the consumers that will stand still, and the streams that have lost events, as JSON

Before it writes anything it compares every file with the manifest: a backup that was cut off or changed is refused.

After a restore of some services the others know what the restored ones have lost. The command lists the consumers that will
stand still and the streams that have lost events, and docs/restore.md says how to go on. If all are restored, nothing is to be done.`;

/** Streams that are listed without --report. */
const STREAMS_SHOWN = 20;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      check: { type: "boolean", default: false },
      replace: { type: "boolean", default: false },
      report: { type: "string" },
    },
  });
  const [named, ...names] = positionals;
  if (named === undefined) throw new UsageError(`name the folder of the backup\n\n${HELP}`);
  // Before the project's folder becomes the working one.
  const folder = resolve(named);
  const report = values.report === undefined ? undefined : resolve(values.report);
  if (report !== undefined && !values.check) assertWritable(report);
  const project = await readProject();
  const manifest = readManifest(folder);
  const parts = partsOf(manifest, names);
  for (const part of parts) await verify(folder, part);
  console.log(`The backup of ${manifest.at} is complete: ${parts.map(({ name }) => name).join(", ")}.`);
  if (values.check) return;
  const files = fileTargets(project, parts);
  const schemas = await schemasOf(project, parts);
  const taken = [...files, ...schemas].filter(({ isTaken }) => isTaken).map(({ place }) => place);
  if (taken.length > 0 && !values.replace)
    throw new UsageError(
      `nothing was restored: ${taken.join("; ")}: there is a database already. ` +
        "Move it away, or add --replace, which keeps it beside the new one",
    );
  for (const target of files) assertClosed(target);
  const kept = `_replaced_${new Date()
    .toISOString()
    .replaceAll(/[-:]|\.\d+/g, "")
    .toLowerCase()}`;
  putInPlace(folder, files, `-${kept.slice(1)}`);
  for (const { part, place, isTaken } of files) tell(part, place, isTaken ? `${place}-${kept.slice(1)}` : undefined);
  for (const target of schemas) {
    await putInDatabase(folder, target, kept);
    const { part, place, isTaken, location } = target;
    tell(part, place, isTaken ? `schema ${location.schema}${kept}` : undefined);
  }
  await tellConsequences(project, manifest, parts, report);
}

/** Before anything is written: after a reset of the consumers nobody can make the list again. What it has in it stays. */
function assertWritable(report: string): void {
  try {
    closeSync(openSync(report, "a", 0o600));
  } catch (error) {
    throw new UsageError(`nothing was restored: --report ${report}: ${(error as Error).message}`);
  }
}

function partsOf({ parts }: Manifest, names: readonly string[]): readonly Part[] {
  const unknown = names.find(name => parts.every(part => part.name !== name));
  if (unknown !== undefined)
    throw new UsageError(`the backup has no "${unknown}", but ${parts.map(({ name }) => name).join(", ")}`);
  return names.length === 0 ? parts : parts.filter(({ name }) => names.includes(name));
}

function fileTargets({ environment, services }: Project, parts: readonly Part[]): Target[] {
  return parts
    .filter(({ kind }) => kind === "sqlite")
    .map(part => {
      const location = services.includes(part.name) ? locationOf(environment, part.name) : undefined;
      if (location?.kind === "postgres") throw otherKind(part, "Postgres");
      // A service keeps it beside its own.
      const named = location?.filename ?? join(databaseEnvironment.of(environment).DATA_DIR, part.file);
      // A link may lead to another disk.
      const place = existsSync(named) ? realpathSync(named) : named;
      return { part, place, isTaken: isTaken(place) };
    });
}

async function schemasOf({ environment, services }: Project, parts: readonly Part[]): Promise<SchemaTarget[]> {
  const targets: SchemaTarget[] = [];
  const dumps = parts.filter(({ kind }) => kind === "postgres");
  for (const [name, own] of Map.groupBy(dumps, ({ name }) => name)) {
    if (!services.includes(name)) throw new UsageError(`the backup has ${name}, but there is no such service here`);
    const location = locationOf(environment, name);
    if (location.kind === "sqlite") throw otherKind(own[0]!, "SQLite");
    targets.push(...(await schemaTargets(location, own)));
  }
  return targets;
}

const otherKind = ({ name, kind }: Part, named: string): UsageError =>
  new UsageError(
    `the backup of ${name} is of ${kind === "sqlite" ? "SQLite" : "Postgres"}, but the environment names ${named} for it`,
  );

const tell = ({ name }: Part, place: string, kept: string | undefined): void =>
  console.log(`${name}: ${place}${kept === undefined ? "" : `; what was there is ${kept}`}`);

/** Lists the consumers whose checkpoints are not in the logs that are there now, and the streams that have lost events. */
async function tellConsequences(
  { folder, services: all, environment }: Project,
  { at, parts }: Manifest,
  restored: readonly Part[],
  report: string | undefined,
): Promise<void> {
  const names = new Set(restored.map(({ name }) => name));
  const { findings, lost } = await consequencesOf(environment, { folder, all }, [...names]);
  const stopped = findings.filter(({ status, message }) => status === "FAIL" && message.includes("not in the log"));
  if (report !== undefined) {
    writeFileSync(report, `${JSON.stringify({ at, restored: [...names], stopped, lost }, undefined, 2)}\n`, {
      mode: 0o600,
    });
    console.log(`${report} has the consumers and streams below, all of them.`);
  }
  for (const { subject, message } of stopped) console.log(`${subject}: ${message}`);
  if (stopped.length > 0)
    console.log(
      "These consumers will stand still. Start the services, and then go on with npx valence consumer: see docs/restore.md.",
    );
  const streams = [...new Set(lost.map(({ stream }) => stream))];
  if (streams.length > 0)
    console.log(
      `${count(streams.length, "stream")} lost events that others have handled: ${shortened(streams)}. A reset of the ` +
        "consumers forgets which: keep this list. docs/restore.md says what to do about each.",
    );
  const others = [...new Set(parts.map(({ name }) => name))].filter(name => !names.has(name));
  if (others.length > 0)
    console.log(`${others.join(", ")} stay as they were, and may know what was lost since ${at}: see docs/restore.md.`);
}

const shortened = (streams: readonly string[]): string =>
  streams.length <= STREAMS_SHOWN
    ? streams.join(", ")
    : `${streams.slice(0, STREAMS_SHOWN).join(", ")} and ${streams.length - STREAMS_SHOWN} more, for which see --report`;
