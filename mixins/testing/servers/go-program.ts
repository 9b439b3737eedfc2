// A program for tests that is there as a Go module: built once, and kept in the user's cache.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Milliseconds of a build: eight minutes of CPU took an hour on two cores that thirty processes shared. */
const BUILD_MS = 3_600_000;

export interface GoProgram {
  readonly name: string;
  readonly module: string;
  readonly version: string;
  /** Its folder in the module, `./cmd/jaeger`. */
  readonly main: string;
}

/** Path of the program that an earlier build has left, or undefined. */
export function builtGo(program: GoProgram): string | undefined {
  const path = pathOf(program);
  return existsSync(path) ? path : undefined;
}

/** Path of the program, built if it is not there: minutes to half an hour. Throws where Go is missing or the build fails. */
export function buildGo(program: GoProgram): string {
  const built = builtGo(program);
  if (built !== undefined) return built;
  const path = pathOf(program);
  mkdirSync(join(path, ".."), { recursive: true });
  const { Dir } = JSON.parse(go("mod", "download", "-json", `${program.module}@${program.version}`)) as { Dir: string };
  // In the module's own folder, by its own go.sum. A build that is ended leaves nothing that looks like a program.
  const unfinished = `${path}.${process.pid}`;
  go("-C", Dir, "build", "-o", unfinished, program.main);
  renameSync(unfinished, path);
  return path;
}

function pathOf({ name, version }: GoProgram): string {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  return join(cache, "valence", `${name}-${version}`);
}

function go(...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync("go", args, { encoding: "utf8", timeout: BUILD_MS });
  if (error) throw new Error(`go cannot be run: ${error.message}`);
  if (status !== 0) throw new Error(`go ${args.join(" ")} failed:\n${stderr.slice(-2_000)}`);
  return stdout;
}
