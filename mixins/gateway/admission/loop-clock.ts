// The time in which the event loop has worked, by which waiting is measured. A process that does not run (its machine is
// busy, a container has used up its quota, a collection of garbage, code that is compiled at its first call) finds that all who
// wait are late, though none is too many: with real time a start under 50 connections refused 30 of them. So the time
// between two looks at this clock counts for no more than a turn of the loop takes under load.
import type { Clock } from "../../kernel/index.ts";
import { limits } from "../limits.ts";

export class LoopClock {
  readonly #clock: Pick<Clock, "monotonic">;
  #lookedAt: number;
  #now = 0;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
    this.#lookedAt = clock.monotonic();
  }

  /** Milliseconds since the start, without those of pauses. To be called at least once in each turn in which somebody waits. */
  monotonic(): number {
    const now = this.#clock.monotonic();
    this.#now += Math.min(now - this.#lookedAt, limits.turnMsMax);
    this.#lookedAt = now;
    return this.#now;
  }
}
