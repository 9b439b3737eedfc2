import { Misconfigured, withoutSecrets } from "../kernel/index.ts";
import { outliveOutput } from "./output.ts";

/** A subcommand of `valence`. */
export interface Command {
  /** The text that `--help` prints, of the other arguments if it depends on them. */
  readonly help: string | ((args: readonly string[]) => string);
  /**
   * Runs with the arguments after the command's name. An error becomes one line on standard error and exit code 1; for
   * a UsageError, a Misconfigured and an unknown option the line is their message alone.
   */
  readonly run: (args: string[]) => Promise<void>;
}

/** A mistake in the command line: the message says how to correct it. */
export class UsageError extends Error {}

const isHelp = (argument: string): boolean => argument === "--help" || argument === "-h";

/** Runs a command; with `--help` or `-h` among its arguments it only prints what the command does. */
export async function runCommand(name: string, { help, run }: Command, args: string[]): Promise<void> {
  outliveOutput();
  if (args.some(isHelp))
    return console.log(typeof help === "string" ? help : help(args.filter(argument => !isHelp(argument))));
  try {
    await run(args);
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown };
    const isUsage =
      error instanceof UsageError || error instanceof Misconfigured || String(code).startsWith("ERR_PARSE_ARGS");
    console.error(isUsage ? message : `${name} stopped: ${withoutSecrets(message)}`);
    process.exitCode = 1;
  }
}
