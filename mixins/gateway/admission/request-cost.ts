// How much processor time one request takes of the event loop, all that it causes included: measured over turns of the loop in
// which others waited, so that the loop did little else. From it follows how many may be begun in one turn.
import { limits } from "../limits.ts";

export class RequestCost {
  readonly #cpuMs: () => number;
  #lookedAtMs = 0;
  #sumMs = 0;
  #requests = 0;
  #isKnown = false;

  /** `cpuMs`: milliseconds of processor time that this thread has used. */
  constructor(cpuMs: () => number) {
    this.#cpuMs = cpuMs;
  }

  /** A turn ends; `begun` requests were begun in it. Without a number it is only the start of the next one. */
  turnEnded(begun?: number): void {
    const cpuMs = this.#cpuMs();
    if (begun !== undefined) {
      this.#sumMs += cpuMs - this.#lookedAtMs;
      this.#requests += begun;
      // What was measured long ago counts less and less.
      if (this.#requests > limits.costRequests) {
        this.#isKnown = true;
        [this.#sumMs, this.#requests] = [this.#sumMs / 2, this.#requests / 2];
      }
    }
    this.#lookedAtMs = cpuMs;
  }

  /**
   * Requests that can be begun in one long turn. The first requests of a process compile the code that they run: before their
   * cost is known, no turn counts as long.
   */
  get affordable(): number {
    if (!this.#isKnown) return limits.beginsPerTurn;
    const affordable = Math.floor((limits.turnMs * this.#requests) / this.#sumMs);
    return Math.max(limits.beginsPerLongTurn, Math.min(limits.beginsPerTurn, affordable));
  }
}

/** Milliseconds of processor time of this thread: a machine that is busy with others does not add to it. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
