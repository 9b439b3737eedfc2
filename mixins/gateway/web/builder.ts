// Builds the pages beside a start, in a process of its own, so that neither the API nor readiness waits for it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** What `build.ts` exports. Run as a program, it builds what is stale, and prints the folder of the output last. */
interface Build {
  /** Of everything that an output follows from. */
  readonly fingerprint: () => string;
  /** Whether its tools are installed. */
  readonly canBuild: () => boolean;
}

export class Builder {
  readonly #folder: string;
  #process: ChildProcess | undefined;
  #isStopped = false;

  /** `folder`: of the sources. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * The folder of an output that is not older than its sources, once there is one. Undefined where there are no sources, or
   * nothing to build them with. Throws when the build fails.
   */
  async build(): Promise<string | undefined> {
    const program = join(this.#folder, "build.ts");
    if (!existsSync(program)) return undefined;
    const { fingerprint, canBuild } = (await import(pathToFileURL(program).href)) as Build;
    const output = join(this.#folder, "dist", fingerprint());
    if (existsSync(output)) return output;
    return canBuild() && !this.#isStopped ? this.#run(program) : undefined;
  }

  stop(): void {
    this.#isStopped = true;
    this.#process?.kill();
  }

  async #run(program: string): Promise<string | undefined> {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    try {
      if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
      let said = "";
      child.stdout.on("data", chunk => (said += String(chunk)));
      child.stderr.on("data", chunk => (said += String(chunk)));
      const [code] = (await once(child, "close")) as [number | null];
      const lines = said.trim().split("\n");
      if (code === 0) return lines.at(-1);
      if (this.#isStopped) return undefined;
      throw new Error(`the build failed: ${lines.slice(0, LINES_MAX).join("\n")}`);
    } finally {
      this.#process = undefined;
    }
  }
}

/** Lines of a build's errors that the log gets: the first ones say what is wrong. */
const LINES_MAX = 20;
