// Keeps what sampling has passed over and turns out to be worth it: the spans of a trace that failed or was slow, as far as this
// process has made them. The spans of other processes are not called back; a failed call fails its caller too, so both keep
// their part.
import type { HeldSpan } from "./held-span.ts";

export interface TailLimits {
  readonly slowMs: number;
  readonly heldTracesMax: number;
  readonly heldSpansMax: number;
}

/** A trace that sampling has passed over, while spans of it are open here. */
export interface HeldTrace {
  readonly id: string;
  readonly rule: TailRule;
  /** Those that have ended. */
  readonly ended: HeldSpan[];
  open: number;
  isKept: boolean;
  /** It gave way when there were too many. */
  isDropped: boolean;
}

export class TailRule {
  readonly #limits: TailLimits;
  readonly #keep: (spans: readonly HeldSpan[]) => void;
  readonly #onDrop: (spans: number) => void;
  /** By id, the one that began first in front. */
  readonly #held = new Map<string, HeldTrace>();
  /** Ended spans in all of them. */
  #spans = 0;

  /** `keep` gets the spans of a trace that is kept, once it has ended; `onDrop` the number of spans that did not fit. */
  constructor(limits: TailLimits, keep: (spans: readonly HeldSpan[]) => void, onDrop: (spans: number) => void) {
    this.#limits = limits;
    this.#keep = keep;
    this.#onDrop = onDrop;
  }

  /** The trace of this id, for a span that the caller begins in it. */
  traceOf(id: string): HeldTrace {
    const known = this.#held.get(id);
    if (known) return known;
    if (this.#held.size >= this.#limits.heldTracesMax) this.#dropFirst();
    const trace: HeldTrace = { id, rule: this, ended: [], open: 0, isKept: false, isDropped: false };
    this.#held.set(id, trace);
    return trace;
  }

  /** Takes a span that has ended. */
  take(span: HeldSpan): void {
    const { trace } = span;
    if (trace.isDropped) return this.#onDrop(1);
    trace.ended.push(span);
    this.#spans++;
    trace.isKept ||= span.hasFailed || span.ms >= this.#limits.slowMs;
    trace.open--;
    if (trace.open > 0) {
      if (this.#spans > this.#limits.heldSpansMax) this.#dropFirst();
      return;
    }
    this.#remove(trace);
    if (trace.isKept) this.#keep(trace.ended);
  }

  #dropFirst(): void {
    const [first] = this.#held.values();
    this.#remove(first!);
    first!.isDropped = true;
    this.#onDrop(first!.ended.length);
  }

  #remove({ id, ended }: HeldTrace): void {
    this.#held.delete(id);
    this.#spans -= ended.length;
  }
}
