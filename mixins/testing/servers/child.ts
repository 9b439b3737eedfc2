// A Node process that a test starts, sends messages to and kills, with its output.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/** Characters of output that are kept, the last ones. */
const OUTPUT_MAX = 200_000;

/**
 * Starts `node` with these arguments, in the folder that the tests run in; it inherits only PATH from our environment.
 */
export class Child {
  readonly process: ChildProcess;
  /** Its output, from both streams. */
  output = "";
  constructor(args: readonly string[], env: Record<string, string>) {
    const cache = process.env["NODE_COMPILE_CACHE"];
    this.process = spawn(process.execPath, [...args], {
      env: {
        PATH: process.env["PATH"]!,
        NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
        // Tests of pages say so: the others would each build them.
        WEB: "off",
        ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }),
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const keep = (chunk: Buffer): void => void (this.output = (this.output + chunk.toString()).slice(-OUTPUT_MAX));
    this.process.stdout!.on("data", keep);
    this.process.stderr!.on("data", keep);
  }
  get running(): boolean {
    return isRunning(this.process);
  }
  /** Sends the signal and waits for the end. Resolves with the exit code, null when a signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null> {
    return endProcess(this.process, signal);
  }
}

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;

/** Sends the signal to a process that runs, and waits for its end. Resolves with the exit code, null when a signal ended it. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (isRunning(child)) {
    const exit = once(child, "exit");
    child.kill(signal);
    await exit;
  }
  return child.exitCode;
}
