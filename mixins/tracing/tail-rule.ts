// Keeps what sampling has passed over and turns out to be worth it: the spans of a trace that failed or was slow, as far as this
// process has made them. The spans of other processes are not called back; a failed call fails its caller too, so both keep
// their part.
import type { HeldSpan } from "./held-span.ts";
import { HeldTraces } from "./held-traces.ts";

export interface TailLimits {
  readonly slowMs: number;
  readonly heldTracesMax: number;
  readonly heldSpansMax: number;
}

/** A trace that sampling has passed over, while spans of it are open here. */
export interface HeldTrace {
  readonly id: string;
  readonly rule: TailRule;
  open: number;
  ended: number;
  /** The span that has ended last: each knows the one before. An array for each trace would cost as much as its spans. */
  last: HeldSpan | undefined;
  isKept: boolean;
  /** It gave way when there were too many. */
  isDropped: boolean;
  /** Its neighbours among those that are held. */
  earlier: HeldTrace | undefined;
  later: HeldTrace | undefined;
  inBucket: HeldTrace | undefined;
}

export class TailRule {
  readonly #limits: TailLimits;
  readonly #keep: (spans: readonly HeldSpan[]) => void;
  readonly #onDrop: (spans: number) => void;
  readonly #held = new HeldTraces();
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
    return this.#held.find(id) ?? this.begin(id);
  }

  /** A trace that begins here: nobody else can know its id. */
  begin(id: string): HeldTrace {
    if (this.#held.size >= this.#limits.heldTracesMax) this.#dropFirst();
    const trace: HeldTrace = {
      id,
      rule: this,
      open: 0,
      ended: 0,
      last: undefined,
      isKept: false,
      isDropped: false,
      earlier: undefined,
      later: undefined,
      inBucket: undefined,
    };
    this.#held.add(trace);
    return trace;
  }

  /** Takes a span that has ended. */
  take(span: HeldSpan): void {
    const { trace } = span;
    if (trace.isDropped) return this.#onDrop(1);
    span.before = trace.last;
    trace.last = span;
    trace.ended++;
    this.#spans++;
    trace.isKept ||= span.hasFailed || span.ms >= this.#limits.slowMs;
    trace.open--;
    if (trace.open > 0) {
      if (this.#spans > this.#limits.heldSpansMax) this.#dropFirst();
      return;
    }
    const ended = trace.isKept ? endedIn(trace) : [];
    this.#remove(trace);
    if (trace.isKept) this.#keep(ended);
  }

  #dropFirst(): void {
    const first = this.#held.first!;
    first.isDropped = true;
    this.#onDrop(first.ended);
    this.#remove(first);
  }

  /** Work that goes on when its trace is over, such as a command whose caller has given up, adds spans to it later. */
  #remove(trace: HeldTrace): void {
    this.#held.remove(trace);
    this.#spans -= trace.ended;
    trace.ended = 0;
    trace.last = undefined;
  }
}

/** In the order of their ends. */
function endedIn({ last }: HeldTrace): HeldSpan[] {
  const spans: HeldSpan[] = [];
  for (let span = last; span; span = span.before) spans.push(span);
  return spans.reverse();
}
