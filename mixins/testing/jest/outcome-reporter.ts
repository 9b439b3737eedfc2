// A jest reporter: for each file that failed it prints the command that runs it alone. Under the runner (run.ts) it
// writes down the outcome of each file instead, and the runner prints the commands at the end.
import { writeFileSync } from "node:fs";
import { relative, sep } from "node:path";
import { commandFor, kindOf, PROJECTS, type Project } from "./kinds.ts";
import { OUTCOME_FILE, type FileOutcome } from "./outcome.ts";

interface Test {
  readonly path: string;
  readonly context: { readonly config: { readonly displayName?: { readonly name: string } } };
}
interface Result {
  readonly numPassingTests: number;
  readonly testExecError?: unknown;
  readonly failureMessage?: string | null;
  readonly testResults: readonly { readonly fullName: string; readonly status: string }[];
}

export default class OutcomeReporter {
  readonly #root: string;
  readonly #files: FileOutcome[] = [];
  constructor({ rootDir }: { rootDir: string }) {
    this.#root = rootDir;
  }

  onTestResult({ path, context }: Test, result: Result): void {
    const name = context.config.displayName?.name;
    const project = PROJECTS.find(project => project === name) ?? kindOf(path).projects[0]!;
    this.#files.push({
      path: relative(this.#root, path).replaceAll(sep, "/"),
      project,
      passed: result.numPassingTests,
      failed: failuresIn(result),
    });
  }

  onRunComplete(): void {
    const file = process.env[OUTCOME_FILE];
    if (file !== undefined) return writeFileSync(file, JSON.stringify(this.#files));
    const failed = this.#files.filter(({ failed }) => failed.length > 0);
    if (failed.length > 0) console.error(`\nTo run a failed file alone:\n${failed.map(asCommand).join("\n")}`);
  }
}

const asCommand = ({ path, project }: { path: string; project: Project }): string => `  ${commandFor(path, project)}`;

function failuresIn({ testExecError, failureMessage, testResults }: Result): string[] {
  const failed = testResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName);
  if (failed.length > 0 || testExecError == null) return failed;
  const lines = (failureMessage ?? "").split("\n").map(line => line.trim());
  return [lines.find(line => line !== "" && !line.startsWith("●")) ?? "the file could not be run"];
}
