// Loaded into a measured process (`--import`). On SIGUSR2 it collects garbage, and prints what the process has used.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** The line that it prints, after `PROBED`. */
export interface Probed {
  /** Microseconds of CPU of all its threads since it began. */
  readonly cpuUs: number;
  /** Bytes, after a collection. */
  readonly heap: number;
  readonly rss: number;
}
export const PROBED = "probed ";

setFlagsFromString("--expose-gc");
const gc = runInNewContext("gc") as () => void;

process.on("SIGUSR2", () => {
  // Before the collection, which is no part of the work.
  const { user, system } = process.cpuUsage();
  gc();
  const { heapUsed: heap, rss } = process.memoryUsage();
  console.log(PROBED + JSON.stringify({ cpuUs: user + system, heap, rss } satisfies Probed));
});
