// Holds a process to a share of a core, with all of its threads: by a control group of the kernel, version 2 or 1. Only
// root may make one. The hold lasts as long as the process.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Microseconds in which a process uses its share and then waits: short beside the time-outs of a cluster. */
const PERIOD_US = 20_000;
/** Weight against processes without a hold, by which they leave the held ones their share. The default is 1,024, or 100. */
const WEIGHT = { v1: 16_384, v2: 1_600 };
const ROOT = "/sys/fs/cgroup";

export class Hold {
  readonly #folder: string;

  /** Throws where no control group for CPU can be made. */
  constructor(name: string, cores: number) {
    const isV2 = readable(join(ROOT, "cgroup.controllers")).split(/\s/).includes("cpu");
    this.#folder = join(ROOT, isV2 ? "" : "cpu", `valence-${process.pid}-${name}`);
    if (!isV2 && !existsSync(join(ROOT, "cpu/cpu.cfs_quota_us")))
      throw new Error("a share of a core needs root, and control groups for CPU");
    mkdirSync(this.#folder);
    const quota = Math.round(cores * PERIOD_US);
    const settings = isV2
      ? { "cpu.max": `${quota} ${PERIOD_US}`, "cpu.weight": WEIGHT.v2 }
      : { "cpu.cfs_period_us": PERIOD_US, "cpu.cfs_quota_us": quota, "cpu.shares": WEIGHT.v1 };
    for (const [file, value] of Object.entries(settings)) writeFileSync(join(this.#folder, file), `${value}`);
  }

  take(pid: number): void {
    writeFileSync(join(this.#folder, "cgroup.procs"), `${pid}`);
  }

  /** Share of the periods in which it had work and its process had to wait, since the hold began. */
  get throttled(): number {
    const stat = Object.fromEntries(
      readable(join(this.#folder, "cpu.stat"))
        .split("\n")
        .map(line => line.split(" ")),
    );
    return Number(stat["nr_throttled"]) / Math.max(1, Number(stat["nr_periods"]));
  }

  /** After the process has ended. */
  remove(): void {
    rmdirSync(this.#folder);
  }
}

const readable = (file: string): string => (existsSync(file) ? readFileSync(file, "utf8") : "");
