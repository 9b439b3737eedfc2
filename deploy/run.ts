// Programs that the scripts of this folder run, and how a script ends.
import { spawnSync } from "node:child_process";

export interface RunOptions {
  readonly input?: string;
  /** Whether its output goes to ours instead of being returned. Default false. */
  readonly isShown?: boolean;
  /** Milliseconds, after which it is ended and has failed. Default: none. */
  readonly timeoutMs?: number;
}

/** Runs a program from PATH and returns what it wrote. Throws with what it complained about when it fails. */
export type Run = (program: string, args: readonly string[], options?: RunOptions) => string;

export const run: Run = (program, args, { input, isShown = false, timeoutMs } = {}) => {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    ...(input !== undefined && { input }),
    ...(timeoutMs !== undefined && { timeout: timeoutMs }),
    ...(isShown && { stdio: [input === undefined ? "ignore" : "pipe", "inherit", "inherit"] }),
  });
  if (status !== 0)
    throw new Error(
      `${[program, ...args].join(" ")}: ${error?.message ?? `exit code ${status}`}\n${stderr ?? ""}`.trim(),
    );
  return stdout ?? "";
};

/** Runs a script: an error is one line and exit code 1. */
export async function script(main: () => void | Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
