// The circuit of one action at one node, without broker and timers: three states, and what moves between them.
//
//   closed     calls pass. When at least `minRequestCount` of a window were made, and `threshold` of them failed, it opens
//   open       no call passes, for `halfOpenTime`
//   half-open  one call passes: its answer closes the circuit, its failure opens it again. When it does not come back in
//              `halfOpenTime`, another one passes
//
// Answers to calls that were made before it opened change nothing: they are of the time before.
export interface CircuitOptions {
  /** Share of failed calls at which it opens. */
  readonly threshold: number;
  /** Calls of a window before which it does not open. */
  readonly minRequestCount: number;
  /** Seconds over which calls are counted together. */
  readonly windowTime: number;
  /** Milliseconds until an open circuit lets one call through. */
  readonly halfOpenTime: number;
}
export type CircuitState = "closed" | "open" | "half-open";

/** A call that a circuit has let through. */
export interface Pass {
  readonly isTrial: boolean;
  readonly life: number;
}

export class Circuit {
  readonly #options: CircuitOptions;
  #state: CircuitState = "closed";
  #windowBeganAt: number;
  #since: number;
  #nextTryAt: number | undefined;
  /** Grows with each opening: an answer of another life is ignored. */
  #life = 0;
  requests = 0;
  failures = 0;

  constructor(options: CircuitOptions, now: number) {
    this.#options = options;
    this.#windowBeganAt = now;
    this.#since = now;
  }

  get state(): CircuitState {
    return this.#state;
  }
  /** Monotonic milliseconds of the last change of state. */
  get since(): number {
    return this.#since;
  }
  /** Monotonic milliseconds at which the next call may pass; undefined when it may pass now. */
  get nextTryAt(): number | undefined {
    return this.#nextTryAt;
  }
  letsPass(now: number): boolean {
    return this.#nextTryAt === undefined || now >= this.#nextTryAt;
  }

  /** A call is made. The first one after an open circuit's time is the trial. */
  begin(now: number): Pass {
    const isTrial = this.#state !== "closed" && this.letsPass(now);
    if (isTrial) {
      if (this.#state === "open") this.#become("half-open", now);
      this.#nextTryAt = now + this.#options.halfOpenTime;
    }
    return { isTrial, life: this.#life };
  }

  succeeded({ isTrial, life }: Pass, now: number): void {
    if (life !== this.#life) return;
    if (isTrial) return this.#close(now);
    this.#count(now, false);
  }

  failed({ isTrial, life }: Pass, now: number): void {
    if (life !== this.#life) return;
    this.#count(now, true);
    if (isTrial) this.#open(now);
  }

  #count(now: number, hasFailed: boolean): void {
    if (this.#state !== "closed") return;
    const { windowTime, minRequestCount, threshold } = this.#options;
    if (now - this.#windowBeganAt > windowTime * 1_000) {
      this.#windowBeganAt = now;
      [this.requests, this.failures] = [0, 0];
    }
    this.requests++;
    if (hasFailed) this.failures++;
    if (this.requests >= minRequestCount && this.failures / this.requests >= threshold) this.#open(now);
  }

  #open(now: number): void {
    this.#become("open", now);
    this.#nextTryAt = now + this.#options.halfOpenTime;
    this.#life++;
  }

  #close(now: number): void {
    this.#become("closed", now);
    this.#nextTryAt = undefined;
    this.#windowBeganAt = now;
    [this.requests, this.failures] = [0, 0];
  }

  #become(state: CircuitState, now: number): void {
    this.#state = state;
    this.#since = now;
  }
}
