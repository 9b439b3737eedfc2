// The commands that people type, as processes, with a data folder of their own.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const VALENCE = join(import.meta.dirname, "valence.mjs");

export class Commands {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Commands> {
    return new Commands(await mkdtemp(join(tmpdir(), "commands-")));
  }

  environment(extra: Record<string, string>) {
    return { PATH: process.env["PATH"], DATA_DIR: this.folder, PORT: "0", ...extra };
  }

  /** Runs a command to its end. */
  run(command: string, extra: Record<string, string> = {}, args: readonly string[] = []) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [VALENCE, command, ...args], {
      env: this.environment(extra),
      encoding: "utf8",
      timeout: 20_000,
    });
    return { status, stdout, stderr };
  }

  /** The same, while this process goes on. */
  async runMeanwhile(command: string, extra: Record<string, string>, args: readonly string[]) {
    const child = spawn(process.execPath, [VALENCE, command, ...args], {
      env: this.environment(extra),
      timeout: 20_000,
    });
    const written = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) child[name].on("data", chunk => (written[name] += String(chunk)));
    const [status] = await once(child, "close");
    return { status: status as number | null, ...written };
  }

  /** Starts a node; resolves when it has written `ready`. */
  async start(ready: string, extra: Record<string, string>) {
    const node = spawn(process.execPath, [VALENCE, "start"], {
      env: this.environment(extra),
      stdio: ["ignore", "pipe", 2],
    });
    let written = "";
    node.stdout!.on("data", chunk => (written += String(chunk)));
    const ended = new Promise<number | null>(resolve => node.once("exit", resolve));
    for (const end = Date.now() + 20_000; !written.includes(ready); await sleep(20))
      if (Date.now() > end || node.exitCode !== null) throw new Error(`no "${ready}" in: ${written}`);
    return { written, stop: () => (node.kill("SIGTERM"), ended) };
  }

  close(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
