// `valence smoke`: tries a running system from outside, as a roll-out does before it is done.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";
import { Misconfigured } from "../kernel/index.ts";
import { operationsEnvironment } from "../operations/environment.ts";
import { isSmoke, smokeOf, type SmokeStep } from "../operations/smoke.ts";
import { UsageError, type Command } from "./command.ts";
import { readProject } from "./project.ts";

/** Seconds. */
const WITHIN = { min: 1, max: 3_600, default: 60 };

const HELP = `Tries a running system from outside, as its clients meet it: the health of the gateway, then the steps that the services
bring in <service>/smoke.ts. A pipeline runs it after each roll-out, and rolls back if it fails.

  npx valence smoke <url>                     such as https://api.example.com
  npx valence smoke <url> --within 120        seconds that a step may take, waiting included (default ${WITHIN.default})
  npx valence smoke <url> --header "x-canary: 1"    sent with every request; may be repeated

Steps that change something act for a test account, by its API key in SMOKE_API_KEY; without one they are left out. One line a
step: ok, skip, or FAIL with what the system answered. It exits with 0 if nothing failed, otherwise with 1.`;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { within: { type: "string" }, header: { type: "string", multiple: true, default: [] } },
  });
  const [url = ""] = positionals;
  if (positionals.length !== 1 || !isOrigin(url))
    throw new UsageError("name one URL without a path, such as https://api.example.com");
  const { folder, services, environment } = await readProject();
  const results = smokeOf(await stepsIn(folder, services), {
    url,
    environment,
    key: operationsEnvironment.of(environment).SMOKE_API_KEY,
    headers: Object.fromEntries(values.header.map(fieldOf)),
    stepMs: secondsOf(values.within) * 1_000,
  });
  const counts = { ok: 0, skip: 0, FAIL: 0 };
  for await (const { says, status, detail } of results) {
    counts[status] += 1;
    console.log(`${status.padEnd(6)}${says}${detail && `: ${detail}`}`);
  }
  console.log(`\n${counts.ok} ok, ${counts.skip} left out, ${counts.FAIL} FAIL`);
  if (counts.FAIL > 0) process.exitCode = 1;
}

/** A path would be left out, and something else tried; `fetch` refuses a name and a password. */
function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
}

function secondsOf(text: string | undefined): number {
  const seconds = text === undefined ? WITHIN.default : Number(text);
  if (!(seconds >= WITHIN.min && seconds <= WITHIN.max))
    throw new UsageError(`--within is a number of seconds from ${WITHIN.min} to ${WITHIN.max}, not "${text}"`);
  return seconds;
}

function fieldOf(text: string): [string, string] {
  const [, name, value] = /^([\w-]+):\s*(.+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined || !/^[\x20-\x7e]*$/.test(value))
    throw new UsageError(`--header is "<name>: <value>" in ASCII, such as "x-canary: 1", not "${text}"`);
  return [name, value];
}

/** The steps of all services, by the services' names. In a packed application the files are JavaScript. */
async function stepsIn(folder: string, services: readonly string[]): Promise<SmokeStep[]> {
  const steps: SmokeStep[] = [];
  for (const service of services.toSorted()) {
    const file = [".ts", ".js"].map(suffix => join(folder, service, `smoke${suffix}`)).find(existsSync);
    if (file === undefined) continue;
    const module = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
    const found = Object.values(module).filter(isSmoke);
    if (found.length === 0) throw new Misconfigured(`${file} has no steps: export the result of defineSmoke`);
    steps.push(...found.flatMap(one => one.steps));
  }
  return steps;
}
