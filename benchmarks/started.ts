// Processes that a benchmark starts. They are spoken to by messages and ended by their id, all of them when the
// benchmark is interrupted.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Told } from "./contender.ts";

const running = new Set<ChildProcess>();
let isInterrupted = false;

/** Ends every process that was started. From then on none can be started, and each wait for one fails. */
export function endAll(): void {
  isInterrupted = true;
  for (const child of running) child.kill("SIGKILL");
}

/** Throws after `endAll`. */
export function assertGoingOn(): void {
  if (isInterrupted) throw new Error("interrupted");
}

/** Makes `endAll` also end a process that was started elsewhere. */
export function alsoEnd(child: ChildProcess): void {
  running.add(child);
  child.once("exit", () => running.delete(child));
  if (isInterrupted) child.kill("SIGKILL");
}

export class Started {
  readonly #child: ChildProcess;
  readonly #told: Told[] = [];
  #output = "";

  constructor(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    assertGoingOn();
    const child = spawn(program, [...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    alsoEnd(child);
    const keep = (chunk: Buffer): void => void (this.#output = (this.#output + chunk.toString()).slice(-10_000));
    child.stdout!.on("data", keep);
    child.stderr!.on("data", keep);
    child.on("error", error => (this.#output += `\n${error.message}`));
    // A broker of ours also sends its parent the messages for a supervisor of workers: they are skipped.
    child.on("message", (message: object) => {
      if ("ready" in message || "loads" in message || "cost" in message) this.#told.push(message as Told);
    });
    this.#child = child;
  }

  /** A script of ours or of a peer's, with its task. */
  static script(url: URL, task: object): Started {
    return new Started(process.execPath, [url.pathname, JSON.stringify(task)], { NODE_ENV: "production" });
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The next message of the process. Throws when the process ends first, or sends nothing in time. */
  async told(withinS: number): Promise<Told> {
    const late = AbortSignal.timeout(withinS * 1_000);
    for (;;) {
      const message = this.#told.shift();
      if (message) return message;
      if (!this.isRunning) throw this.#failure("ended");
      const heard = new AbortController();
      const signal = AbortSignal.any([late, heard.signal]);
      try {
        await Promise.race([once(this.#child, "message", { signal }), once(this.#child, "exit", { signal })]);
      } catch {
        throw this.#failure(`was not done in ${withinS} s`);
      } finally {
        heard.abort();
      }
    }
  }

  /** Sends the process a message. */
  say(message: string): void {
    this.#child.send(message);
  }

  /** Resolves when the process ends with code 0. Throws for any other code. */
  async ended(): Promise<void> {
    if (this.isRunning) await once(this.#child, "exit");
    if (this.#child.exitCode !== 0) throw this.#failure("failed");
  }

  async end(): Promise<void> {
    if (!this.isRunning) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }

  #failure(how: string): Error {
    return new Error(`${this.#child.spawnargs.slice(0, 2).join(" ").slice(0, 200)} ${how}:\n${this.#output}`);
  }
}
