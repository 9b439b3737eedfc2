// The answer to a scrape: the metrics of this process or, where it is one of a machine's workers, of all of them. Any worker may
// get the request, since they share their ports, and each gives the same answer.
//
// Scrapes that come at the same time share one. A loop that is busy answers late; nothing in here waits longer than its limit.
import { version, type FromSupervisor, type FromWorker } from "../kernel/index.ts";
import { metricsErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { familyOf, metersOf, type Family, type Meters } from "./meters.ts";
import { processMetrics } from "./metrics.ts";

const scrapes = new WeakMap<object, Promise<Family[]>>();

/**
 * The text of `/metrics` of the broker's process, in the form that the client takes. Undefined with METRICS=off. Throws Unavailable
 * `METRICS_INCOMPLETE` where the supervisor of its workers does not answer.
 */
export async function scrape(
  broker: { readonly options: object },
  accept: string | undefined,
): Promise<{ readonly type: string; readonly text: string } | undefined> {
  const meters = metersOf(broker);
  if (!meters) return undefined;
  let running = scrapes.get(broker);
  if (!running) {
    running = collected(meters).finally(() => scrapes.delete(broker));
    scrapes.set(broker, running);
  }
  const { textOf } = await import("./text.ts");
  return textOf(await running, accept);
}

/** Begins to measure the process. Call it with the first server that answers `/metrics`. */
export async function measureProcess(broker: { readonly options: object }): Promise<void> {
  if (metersOf(broker)) await import("./process.ts");
}

async function collected(meters: Meters): Promise<Family[]> {
  const startedAt = performance.now();
  const families = isWorkerHere() ? await ofAllWorkers() : await ownFamilies(meters);
  meters.histogram(processMetrics.scrapeSeconds).observe((performance.now() - startedAt) / 1_000);
  return families;
}

async function ownFamilies(meters: Meters): Promise<Family[]> {
  const { processFamilies } = await import("./process.ts");
  const [process, own] = await Promise.all([processFamilies(), meters.families()]);
  const about = [
    familyOf(processMetrics.info, [{ labels: { version: version() }, value: 1 }]),
    familyOf(processMetrics.series, [{ labels: {}, value: meters.size }]),
  ];
  return [...own, ...process, ...about];
}

// ---- workers

let questions = 0;
const open = new Map<number, (families: Family[]) => void>();

/** Whether a supervisor has the metrics of all workers of this machine. */
const isWorkerHere = (): boolean => process.connected && isWorker;

/**
 * The metrics of all workers of this machine, from the supervisor. Throws Unavailable when it does not answer: a worker's own
 * counters are lower, and Prometheus would take them for a restart, and count all of what comes back once more.
 */
function ofAllWorkers(): Promise<Family[]> {
  const number = ++questions;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      open.delete(number);
    };
    // Longer than the supervisor waits for a worker that hangs.
    const timer = setTimeout(() => {
      end();
      reject(metricsErrors.METRICS_INCOMPLETE());
    }, limits.workersMs + limits.supervisorMs);
    open.set(number, families => {
      end();
      resolve(families);
    });
    process.send!({ wantsMetrics: number } satisfies FromWorker);
  });
}

let isWorker = false;

/** Tells the supervisor of this machine's workers the metrics of this one, when it asks. Returns the function that ends it. */
export function tellSupervisor(broker: { readonly options: object }): () => void {
  const meters = metersOf(broker);
  if (!meters || !process.send) return () => {};
  isWorker = true;
  const hear = (message: FromSupervisor): void => {
    if ("allMetrics" in message) open.get(message.allMetrics)?.(message.families as Family[]);
    if ("tellMetrics" in message) void tell(message.tellMetrics, meters);
  };
  process.on("message", hear);
  return () => {
    isWorker = false;
    process.off("message", hear);
  };
}

async function tell(number: number, meters: Meters): Promise<void> {
  const families = await ownFamilies(meters);
  // The supervisor may have ended meanwhile.
  process.send?.({ metrics: number, families } satisfies FromWorker, () => {});
}
