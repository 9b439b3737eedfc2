// The supervisor's part of metrics: those of all workers of a machine as one. It asks each worker, and adds up.
//
// A counter must not go down when a worker dies: Prometheus would take it for a restart, and count all of what is left once
// more. So the last known counts of workers that are gone stay in the sum. A worker that does not answer in time, since its loop
// hangs, is counted with its last known counts as well, and as an error.
import { limits } from "./limits.ts";
import { familyOf, type Family } from "./meters.ts";
import { processMetrics } from "./metrics.ts";

type Families = readonly Family[];

export class WorkerMetrics {
  /** The last answer of each worker that runs. */
  readonly #last = new Map<number, Families>();
  /** Counts of workers that are gone. */
  #gone: Families = [];
  #died = 0;
  #late = 0;
  #questions = 0;
  readonly #open = new Map<number, (worker: number, families: Families) => void>();
  #running: Promise<Families> | undefined;
  readonly #waitMs: number;

  constructor(waitMs: number = limits.workersMs) {
    this.#waitMs = waitMs;
  }

  /** The metrics of these workers as one. `ask` sends a worker the number under which it is to answer. */
  all(workers: readonly number[], ask: (worker: number, number: number) => void): Promise<Families> {
    this.#running ??= this.#collect(workers, ask).finally(() => (this.#running = undefined));
    return this.#running;
  }

  /** A worker has answered. */
  answered(worker: number, number: number, families: Families): void {
    this.#last.set(worker, families);
    this.#open.get(number)?.(worker, families);
  }

  /** A worker has ended; `hasDied` unless it was told to. */
  async ended(worker: number, hasDied: boolean): Promise<void> {
    if (hasDied) this.#died++;
    const last = this.#last.get(worker);
    this.#last.delete(worker);
    if (last) this.#gone = await addedUp([this.#gone, countsOf(last)]);
  }

  async #collect(workers: readonly number[], ask: (worker: number, number: number) => void): Promise<Families> {
    const number = ++this.#questions;
    const answers = new Map<number, Families>();
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, this.#waitMs);
      this.#open.set(number, (worker, families) => {
        answers.set(worker, families);
        if (answers.size < workers.length) return;
        clearTimeout(timer);
        resolve();
      });
      for (const worker of workers) ask(worker, number);
    });
    this.#open.delete(number);
    const late = workers.filter(worker => !answers.has(worker));
    this.#late += late.length;
    const known = late.map(worker => countsOf(this.#last.get(worker) ?? []));
    return addedUp([...answers.values(), ...known, this.#gone, this.#own(workers.length)]);
  }

  #own(workers: number): Families {
    return [
      familyOf(processMetrics.workers, [{ labels: {}, value: workers }]),
      familyOf(processMetrics.workersDied, [{ labels: {}, value: this.#died }]),
      familyOf(processMetrics.scrapeErrors, [{ labels: { source: "workers" }, value: this.#late }]),
    ];
  }
}

/** Counters and histograms. What a worker measures ends with it. */
const countsOf = (families: Families): Families => families.filter(({ type }) => type !== "gauge");

async function addedUp(processes: readonly Families[]): Promise<Families> {
  const { addedUp } = await import("./text.ts");
  return addedUp(processes);
}
