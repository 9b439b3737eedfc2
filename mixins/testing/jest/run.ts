#!/usr/bin/env node
// Runs jest, and once more, alone, what failed: on a loaded machine a test with processes and deadlines fails for no fault of
// the code. A file that passes then counts as passed, and is named loudly, since it may be the test's fault or a race of ours.
//
//   node mixins/testing/jest/run.ts [--only=unit,int,postgres,kafka] [paths and options of jest]
//
// 1. Jest runs as asked; its reporter writes down what became of each file.
// 2. Files that failed are run again, one at a time, each in the project it failed in. More than ten are no bad luck: they
//    have failed.
// 3. It says what failed in the whole run and passed alone, and how each other failed file is run alone. COUNTS_FILE gets
//    `<passed> <failed>`, tests, by the second result. It exits with 0 only if nothing has failed in the end.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
// From here on jest ends whenever this process ends.
import "../servers/processes.ts";
import { commandFor, kindOf, PROJECTS, projectsIn, type Project } from "./kinds.ts";
import { OUTCOME_FILE, type FileOutcome } from "./outcome.ts";

/** Files that are run again, at most. */
const REPEATED_FILES_MAX = 10;

const JEST = createRequire(join(process.cwd(), "package.json")).resolve("jest/bin/jest");
/** Jest runs ES modules as they are, which Node calls experimental. */
const NODE_OPTIONS = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];

let running: ChildProcess | undefined;
let endedBy: NodeJS.Signals | undefined;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    endedBy = signal;
    running?.kill(signal);
  });

process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  return 1;
});

async function main(given: readonly string[]): Promise<number> {
  const only = given.find(arg => arg.startsWith("--only="))?.slice("--only=".length);
  const args = given.filter(arg => !arg.startsWith("--only="));
  const allowed = only === undefined ? PROJECTS : PROJECTS.filter(project => only.split(",").includes(project));
  const named = projectsIn(args);
  const projects = allowed.filter(project => named.length === 0 || named.includes(project));
  refuseOthers(args, projects);

  const first = await jest([...withoutProjects(args), "--selectProjects", ...projects]);
  if (endedBy) return 128 + constants.signals[endedBy];
  if (!first.files) return first.status; // it only listed something, or ended before it could run
  const failed = first.files.filter(({ failed }) => failed.length > 0);
  const repeated = failed.length > REPEATED_FILES_MAX ? [] : await repeat(failed, nameFilterIn(args));
  if (endedBy) return 128 + constants.signals[endedBy];

  const final = first.files.map(file => repeated.find(again => isSame(again, file)) ?? file);
  report(failed, final);
  const count = (of: (file: FileOutcome) => number): number => final.reduce((sum, file) => sum + of(file), 0);
  const failures = count(file => file.failed.length);
  const { COUNTS_FILE } = process.env;
  if (COUNTS_FILE) writeFileSync(COUNTS_FILE, `${count(file => file.passed)} ${failures}\n`);
  if (failures > 0) return 1;
  // Jest can fail without a failed file: it found no test, or coverage is too low.
  return failed.length > 0 ? 0 : first.status;
}

/**
 * Refuses a path of another kind, with the command that runs it: jest would find no test, or every test with that name.
 */
function refuseOthers(args: readonly string[], projects: readonly Project[]): void {
  for (const path of args.filter(arg => arg.endsWith(".test.ts") && existsSync(arg))) {
    const { needs, projects: its } = kindOf(path);
    if (its.some(project => projects.includes(project))) continue;
    throw new Error(
      `${path} needs ${needs}, and is not among the tests of "${projects.join(", ")}". To run it: ${commandFor(path, its[0]!)}`,
    );
  }
}

/** Moves the option to the end: jest takes a path after it for a project. */
function withoutProjects(args: readonly string[]): string[] {
  const at = args.findIndex(arg => arg.startsWith("--selectProjects"));
  const rest = at < 0 ? [] : args.slice(at + 1);
  const end = rest.findIndex(arg => arg.startsWith("-"));
  return at < 0 ? [...args] : [...args.slice(0, at), ...(end < 0 ? [] : rest.slice(end))];
}

/** `-t <name>` also applies to the repetition. */
function nameFilterIn(args: readonly string[]): string[] {
  const at = args.findIndex(arg => /^(-t|--testNamePattern)(=|$)/.test(arg));
  return at < 0 ? [] : args.slice(at, args[at]!.includes("=") ? at + 1 : at + 2);
}

async function repeat(failed: readonly FileOutcome[], options: readonly string[]): Promise<FileOutcome[]> {
  const repeated: FileOutcome[] = [];
  for (const file of failed) {
    if (endedBy) break;
    console.error(`\nOnce more, alone: ${file.path} (${file.project})`);
    const { files } = await jest([...options, "--runTestsByPath", file.path, "--selectProjects", file.project]);
    repeated.push(...(files ?? []));
  }
  return repeated;
}

function isSame(a: FileOutcome, b: FileOutcome): boolean {
  return a.path === b.path && a.project === b.project;
}

/** Resolves when it has ended; `files` is missing if it ran nothing. */
async function jest(args: readonly string[]): Promise<{ status: number; files?: FileOutcome[] }> {
  const folder = mkdtempSync(join(tmpdir(), "outcome-"));
  const outcome = join(folder, "outcome.json");
  try {
    const child = spawn(process.execPath, [JEST, ...args], {
      stdio: "inherit",
      env: {
        ...process.env,
        NODE_OPTIONS: [process.env["NODE_OPTIONS"], ...NODE_OPTIONS].filter(Boolean).join(" "),
        [OUTCOME_FILE]: outcome,
      },
    });
    running = child;
    const [status] = (await once(child, "exit")) as [number | null];
    if (!existsSync(outcome)) return { status: status ?? 1 };
    return { status: status ?? 1, files: JSON.parse(readFileSync(outcome, "utf8")) as FileOutcome[] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(failed: readonly FileOutcome[], final: readonly FileOutcome[]): void {
  const isBad = (file: FileOutcome): boolean => final.some(end => isSame(end, file) && end.failed.length > 0);
  const lucky = failed.filter(file => !isBad(file));
  const bad = failed.filter(isBad);
  if (lucky.length > 0) {
    const lines = lucky.map(({ path, project, failed }) => `  ${path} (${project}): ${failed.join("; ")}`);
    console.error(`\nFAILED IN THE WHOLE RUN, PASSED ALONE: ${filesOf(lucky)}\n${lines.join("\n")}`);
  }
  if (bad.length === 0) return;
  const why = bad.length > REPEATED_FILES_MAX ? `FAILED, too many to be run again` : "FAILED TWICE";
  console.error(`\n${why}: ${filesOf(bad)}. To run one alone:`);
  for (const { path, project } of bad) console.error(`  ${commandFor(path, project)}`);
}

function filesOf({ length }: readonly unknown[]): string {
  return `${length} ${length === 1 ? "file" : "files"}`;
}
