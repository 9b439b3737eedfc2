// Measures for how long a saga has been tried in vain, for deadlines and `stuckAfterMs`. Only time in which this driver tried
// counts, on the monotonic clock: not a night without nodes, a database that was away, a paused process, or the tries of
// another node. A saga that moves to another driver begins anew.
import { fnv1a } from "../kernel/index.ts";
import type { SagaState } from "./journal.ts";
import type { Driven } from "./planner.ts";

/**
 * All of them small whole numbers, which the engine keeps within the object: an outage has as many of these as sagas, and with the
 * texts themselves each took 400 bytes.
 */
interface Tries {
  /** Hashes of the step under way with the time it was sent, and of the last progress. Compared for equality only. */
  readonly step: number;
  readonly progress: number;
  readonly stepMs: number;
  readonly vainMs: number;
  /** Monotonic time of the last failure. */
  readonly lastAt: number;
}

export interface PatienceLimits {
  /** Milliseconds between two failures that count at most: in a longer gap than a pause and a call, no try was made. */
  readonly gapMs: number;
  /** Sagas whose tries are remembered; past it, those that failed longest ago begin anew. */
  readonly sagas: number;
}

export class Patience {
  readonly #limits: PatienceLimits;
  readonly #tries = new Map<string, Tries>();

  constructor(limits: PatienceLimits) {
    this.#limits = limits;
  }

  /** Counts a failed try, from its beginning or from the failure before it; times are monotonic. */
  failed(key: string, state: SagaState, beganAt: number, now: number): Driven {
    const open = state.calls.find(({ status }) => status === "sent");
    const step = fnv1a(`${state.phase} ${open?.step} ${open?.sentAt}`);
    const progress = fnv1a(`${state.phase} ${state.progressAt}`);
    const last = this.#tries.get(key);
    const tryMs = Math.min(now - beganAt, this.#limits.gapMs);
    const sinceMs = last ? Math.min(now - last.lastAt, this.#limits.gapMs) : tryMs;
    const tries: Tries = {
      step,
      progress,
      stepMs: Math.round(last?.step === step ? last.stepMs + sinceMs : tryMs),
      vainMs: Math.round(last?.progress === progress ? last.vainMs + sinceMs : tryMs),
      lastAt: Math.round(now),
    };
    // Set anew, so that the map is in the order of failures.
    this.#tries.delete(key);
    this.#tries.set(key, tries);
    if (this.#tries.size > this.#limits.sagas) this.#tries.delete(this.#tries.keys().next().value!);
    return tries;
  }

  /** Sagas whose tries are remembered. */
  get size(): number {
    return this.#tries.size;
  }

  /** The saga has ended, is parked, or another driver has it. */
  forget(key: string): void {
    this.#tries.delete(key);
  }
}
