// For how long sagas have been tried in vain: what deadlines and `stuckAfterMs` are measured in. Only time in which this
// driver tried counts, on the monotonic clock: of a night without nodes, a database that was away, a paused process, and
// of what another node did before, nothing. A saga that changes its driver is given its patience anew.
import type { SagaState } from "./journal.ts";
import type { Driven } from "./planner.ts";

interface Tries {
  /** The step under way, and when it was sent; and the last progress. What they are told from, never compared as times. */
  step: string;
  progress: string;
  stepMs: number;
  vainMs: number;
  /** Monotonic time of the last failure. */
  lastAt: number;
}

export interface PatienceLimits {
  /** Milliseconds between two failures that count at most: longer than a pause and a call, nobody tried. */
  readonly gapMs: number;
  /** Sagas whose tries are remembered; past it, those that failed longest ago are given their patience anew. */
  readonly sagas: number;
}

export class Patience {
  readonly #limits: PatienceLimits;
  readonly #tries = new Map<string, Tries>();

  constructor(limits: PatienceLimits) {
    this.#limits = limits;
  }

  /** Counts a try that failed, from its begin on or from the failure before; times are monotonic. */
  failed(key: string, state: SagaState, beganAt: number, now: number): Driven {
    const open = state.calls.find(({ status }) => status === "sent");
    const step = `${state.phase} ${open?.step} ${open?.sentAt}`;
    const progress = `${state.phase} ${state.progressAt}`;
    const last = this.#tries.get(key);
    const tryMs = Math.min(now - beganAt, this.#limits.gapMs);
    const sinceMs = last ? Math.min(now - last.lastAt, this.#limits.gapMs) : tryMs;
    const tries: Tries = {
      step,
      progress,
      stepMs: last?.step === step ? last.stepMs + sinceMs : tryMs,
      vainMs: last?.progress === progress ? last.vainMs + sinceMs : tryMs,
      lastAt: now,
    };
    // Set anew, so that the map is in the order of failures.
    this.#tries.delete(key);
    this.#tries.set(key, tries);
    if (this.#tries.size > this.#limits.sagas) this.#tries.delete(this.#tries.keys().next().value!);
    return tries;
  }

  /** It has ended, is parked, or another driver has it. */
  forget(key: string): void {
    this.#tries.delete(key);
  }
}
