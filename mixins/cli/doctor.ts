// `valence doctor`: checks the databases of the services, their servers and the configuration, and reports what is wrong or will be soon.
import { parseArgs } from "node:util";
import { UsageError, type Command } from "./command.ts";
import { examine } from "../operations/doctor/examination.ts";
import { lineOf, type Finding, type Status } from "../operations/doctor/finding.ts";
import { readProject } from "./project.ts";

const HELP = `Checks what the environment names, databases, NATS, Redis, certificates, disks, and the environment itself, and
reports what is wrong or will be soon.

  npx valence doctor                 all services
  npx valence doctor <service>    one
  npx valence doctor --deep       reads every event too: gaps in streams, shapes of earlier releases
  npx valence doctor --json       one JSON document

It works with and without running services, and writes nothing. The operation \`ops.doctor\` is the same over all nodes of a
running system. One line a check:

  ok     nothing to do
  warn   look at it before it grows
  FAIL   acknowledged records are at risk, or something stands still until a person acts

It exits with 1 if a check FAILs, otherwise with 0.`;

/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 1_000;

export const command: Command = { help: HELP, run: main };

async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      deep: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const { folder, services: all, environment } = await readProject();
  const [only] = positionals;
  if (positionals.length > 1) throw new UsageError("name one service, or none for all");
  if (only !== undefined && !all.includes(only))
    throw new UsageError(`there is no service "${only}", but ${all.join(", ")}`);
  let toldAt = performance.now();
  const findings = await examine(
    environment,
    { folder, all, only },
    {
      deep: values.deep,
      isProduction: process.env["NODE_ENV"] === "production",
      ...(!values.json && { onFinding: finding => console.log(lineOf(finding)) }),
      onProgress(place, done, total) {
        if (done === total || performance.now() - toldAt < PROGRESS_MS) return;
        toldAt = performance.now();
        console.error(`      ${place}: ${done} of ${total} streams`);
      },
    },
  );
  const counts = countsOf(findings);
  if (values.json) console.log(JSON.stringify({ counts, findings }, undefined, 2));
  else {
    const looked = values.deep ? "" : "; --deep reads every event as well";
    console.log(`\n${findings.length} checks: ${counts.ok} ok, ${counts.warn} warn, ${counts.FAIL} FAIL${looked}`);
  }
  if (counts.FAIL > 0) process.exitCode = 1;
}

function countsOf(findings: readonly Finding[]): Record<Status, number> {
  const counts = { ok: 0, warn: 0, FAIL: 0 };
  for (const { status } of findings) counts[status] += 1;
  return counts;
}
