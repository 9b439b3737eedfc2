// `valence backup`: copies the databases of all services at one moment, while they run.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { makePrivate, makePrivateFolder, version } from "../kernel/index.ts";
import { measured, writeManifest, type Part } from "./backup/manifest.ts";
import { PostgresBackup } from "./backup/postgres-backup.ts";
import { copyTo, cutOf, type Cut } from "./backup/sqlite-backup.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject } from "./project.ts";
import { filesOf } from "./sqlite-files.ts";

const HELP = `Copies the databases of all services into a folder, while they run. All copies are of one moment: no consumer is past
the log that it reads, and no saga knows of a step that its actor has lost.

  npx valence backup <folder>    a new folder, or an empty one

The folder gets a file a database, and at the end manifest.json with the moment, the positions, and the checksums. Without it
the backup was cut off, and npx valence restore refuses it. For a few milliseconds nothing can commit, except where all services
share one database of Postgres. That needs pg_dump, and for restore pg_restore, on the PATH.

The copies hold passwords' hashes, signing keys and people's data: guard them as you guard the databases. Redis (browser
sessions, limits, caches) and JetStream or Kafka are not in it, and need not be: see docs/restore.md.`;

/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 1_000;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  const { positionals } = parseArgs({ args, allowPositionals: true });
  const [named] = positionals;
  if (named === undefined || positionals.length > 1) throw new UsageError(`name one folder\n\n${HELP}`);
  // Before the project's folder becomes the working one.
  const folder = resolve(named);
  const { services, environment } = await readProject();
  const files = filesOf(environment, services);
  if (existsSync(folder) && !statSync(folder).isDirectory()) throw new UsageError(`${folder} is no folder`);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new UsageError(`${folder} is not empty: name a new folder`);
  const postgres = await PostgresBackup.open(environment, services, { hasOthers: files.size > 0 });
  try {
    if (files.size + postgres.stores.length === 0) throw new UsageError("there is no database yet: nothing to back up");
    makePrivateFolder(folder);
    const cut = await cutOf(files, () => postgres.cut());
    const parts = await copy(folder, cut, postgres).finally(() => cut.close());
    writeManifest(folder, { runtime: version(), at: cut.at.toISOString(), parts });
    const waited = `commits waited for ${Math.ceil(cut.heldMs)} ms at most`;
    console.log(`${parts.length} databases as of ${cut.at.toISOString()} in ${folder}; ${waited}.`);
  } finally {
    await postgres.close();
  }
}

async function copy(folder: string, cut: Cut, postgres: PostgresBackup): Promise<readonly Part[]> {
  const parts: Part[] = [];
  const add = async (part: Omit<Part, "bytes" | "sha256">): Promise<void> => {
    const whole = { ...part, ...(await measured(join(folder, part.file))) };
    parts.push(whole);
    console.log(lineOf(whole));
  };
  for (const [name, reader] of cut.readers) {
    const file = `${name}.sqlite`;
    const positions = await copyTo(join(folder, file), reader, progressOf(name));
    await add({ name, kind: "sqlite", shard: 0, file, positions });
  }
  for (const store of postgres.stores) {
    const { name, shard } = store;
    const file = `${name}.${shard}.dump`;
    makePrivate(join(folder, file));
    const positions = await postgres.dumpTo(join(folder, file), store);
    await add({ name, kind: "postgres", shard, file, positions });
  }
  return parts;
}

function progressOf(name: string): (done: number, total: number) => void {
  let toldAt = performance.now();
  return (done, total) => {
    if (performance.now() - toldAt < PROGRESS_MS) return;
    toldAt = performance.now();
    console.error(`  ${name}: ${done} of ${total} pages`);
  };
}

function lineOf({ name, bytes, positions: { log } }: Part): string {
  const events = log === undefined ? "" : `, its log up to ${log.head}`;
  return `${name}: ${bytes.toLocaleString("en")} bytes${events}`;
}
