// `valence audit`: verifies the record of every event, in its database or in an export, and writes exports and keys.
import { once } from "node:events";
import { createReadStream, createWriteStream, existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import type { Knex } from "knex";
import { anchorAt, anchorOf, type Anchor } from "../audit/anchor.ts";
import { auditEnvironment, pemOf } from "../audit/environment.ts";
import { publicKeysIn } from "../audit/keys.ts";
import { exportedLines } from "../audit/export.ts";
import { countIn, fromJson, toJson } from "../audit/lines.ts";
import type { Fault } from "../audit/partition-walk.ts";
import { SigningKey } from "../audit/signing.ts";
import { verify, type Line, type Verdict, type VerifyOptions } from "../audit/verify.ts";
import { verifyDatabase } from "../audit/verifying.ts";
import { locationOf } from "../database/index.ts";
import { openDatabase } from "../database/mixin.ts";
import { readEnvironment } from "../kernel/index.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject } from "./project.ts";

const HELP = `Verifies the record of every event that the service audit keeps: which record is the first that was edited, removed,
inserted or moved. Exit code 1: one was.

  npx valence audit verify                  in the database that the environment names; the services may run
  npx valence audit verify <file>           in an export, without a project and without a database
  npx valence audit export <file>           writes all of it as NDJSON: keys, checkpoints, heads, records
  npx valence audit public-key              prints the keys that have signed, in PEM: keep them elsewhere
  npx valence audit new-key                 prints a new private key, for AUDIT_SIGNING_KEY

  --public-key <file>   a key in PEM that may have signed; again for more. Default: of AUDIT_SIGNING_KEY, else those that
                        lie with the audit, which somebody who can sign could have put there
  --anchor <place>      the copy of the checkpoints, a file or URL. Default: AUDIT_ANCHOR
  --service <service>   the service that keeps the audit, unless it is "audit"
  --json                the verdict as JSON`;

export const command: Command = { help: HELP, run: main };

interface Options {
  readonly "public-key"?: string[];
  readonly anchor?: string;
  readonly service: string;
  readonly json: boolean;
}

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      "public-key": { type: "string", multiple: true },
      anchor: { type: "string" },
      service: { type: "string", default: "audit" },
      json: { type: "boolean", default: false },
    },
  });
  const [verb, file, ...more] = positionals;
  if (more.length > 0) throw new UsageError(HELP);
  // Read before the project is entered, which changes the working folder.
  const path = file && resolve(file);
  if (verb === "verify") return tell(path ? await verifyExport(path, values) : await verifyService(values), values);
  if (verb === "export" && path) return inDatabase(values, knex => exportTo(path, knex));
  if (verb === "public-key" && !path)
    return inDatabase(values, async knex => console.log((await publicKeysIn(knex)).join("").trimEnd()));
  if (verb === "new-key" && !path) return console.log(SigningKey.make().trimEnd());
  throw new UsageError(HELP);
}

// ---- verifying

function optionsOf(
  environment: ReturnType<typeof readEnvironment>,
  { "public-key": files, anchor: place }: Options,
): VerifyOptions & { anchor: Anchor | undefined } {
  const { AUDIT_SIGNING_KEY: own } = auditEnvironment.of(environment);
  const trusted = files?.map(keyIn) ?? (own === undefined ? undefined : [new SigningKey(pemOf(own)).publicPem]);
  return {
    trusted,
    anchor: place === undefined ? anchorOf(environment) : anchorAt(place, environment),
    onProgress: records => progress(`${records} records verified`),
  };
}

function keyIn(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`--public-key: ${(error as Error).message}`);
  }
}

async function verifyExport(path: string, values: Options): Promise<Verdict> {
  if (!existsSync(path)) throw new UsageError(`there is no ${path}`);
  return verify(linesOfFile(path), { ...optionsOf(readEnvironment(), values), isExport: true });
}

async function* linesOfFile(path: string): AsyncGenerator<Line> {
  let number = 0;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    number++;
    if (text !== "") yield fromJson(text, number);
  }
}

async function verifyService(values: Options): Promise<Verdict> {
  const files = values["public-key"]?.map(file => resolve(file));
  let verdict: Verdict | undefined;
  await inDatabase(values, async (knex, environment) => {
    verdict = await verifyDatabase(knex, optionsOf(environment, { ...values, ...(files && { "public-key": files }) }));
  });
  return verdict!;
}

function tell(verdict: Verdict, { json }: Options): void {
  clearProgress();
  const { ok, records, checkpoints, anchored, anchorGoesOnTo, signedBy, heads, faults } = verdict;
  if (!ok) process.exitCode = 1;
  if (json) return console.log(JSON.stringify(verdict, null, 2));
  for (const fault of faults) console.log(`FAIL  ${placeOf(fault)}: ${fault.says}`);
  console.log(
    `${ok ? "ok  " : "FAIL"}  ${records} records in ${heads.length} partitions, ${checkpoints} checkpoints, ` +
      `${anchored} of them compared with the anchor${anchorGoesOnTo === undefined ? "" : `, which goes on to ${anchorGoesOnTo}`}; signed by ${signedBy.join(", ") || "nobody yet"}`,
  );
}

function placeOf({ kind, partition, seq, through, checkpoint }: Fault): string {
  if (checkpoint !== undefined) return `checkpoint ${checkpoint} ${kind}`;
  if (partition === undefined) return kind;
  const records = through === undefined ? `record ${seq}` : `a record from ${seq} to ${through}`;
  return `partition ${partition}, ${records} ${kind}`;
}

// ---- exporting

async function exportTo(path: string, knex: Knex): Promise<void> {
  const total = await countIn(knex);
  // A file that is there is not written over: it may be the only copy of what retention has removed.
  const file = createWriteStream(path, { flags: "wx", mode: 0o600 });
  await once(file, "open");
  let records = 0;
  for await (const line of exportedLines(knex)) {
    if (!file.write(`${toJson(line)}\n`)) await once(file, "drain");
    if ("record" in line && ++records % 1_000 === 0)
      progress(`${records} of ${Math.max(total, records)} records written`);
  }
  file.end();
  await once(file, "finish");
  clearProgress();
  console.log(`${path}: ${records} records`);
}

async function inDatabase(
  { service }: Options,
  work: (knex: Knex, environment: ReturnType<typeof readEnvironment>) => Promise<void>,
): Promise<void> {
  const { services, environment } = await readProject();
  if (!services.includes(service)) throw new UsageError(`there is no service "${service}", but ${services.join(", ")}`);
  const location = locationOf(environment, service);
  if (location.kind === "sqlite" && !existsSync(location.filename))
    throw new UsageError(`there is no ${location.filename}: the service ${service} has not started yet`);
  const database = await openDatabase(location);
  try {
    if (!(await database.knex.schema.hasTable("audit_records")))
      throw new UsageError(`the database of ${service} holds no audit`);
    await work(database.knex, environment);
  } finally {
    await database.close();
  }
}

/** One line on a terminal, written over by the next. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text}\u001b[K`);
}
function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
}
