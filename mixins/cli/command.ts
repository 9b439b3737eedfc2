import { Misconfigured, withoutSecrets } from "../kernel/index.ts";
import { outliveOutput } from "./output.ts";

/** What whoever typed the command can put right: its message is all that they are told. */
export class UsageError extends Error {}

/** Runs a command. What it throws becomes one line, and exit code 1. */
export async function runCommand(name: string, main: () => Promise<void>): Promise<void> {
  outliveOutput();
  try {
    await main();
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown };
    const isUsage =
      error instanceof UsageError || error instanceof Misconfigured || String(code).startsWith("ERR_PARSE_ARGS");
    console.error(isUsage ? message : `${name} stopped: ${withoutSecrets(message)}`);
    process.exitCode = 1;
  }
}
