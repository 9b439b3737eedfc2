// Keeps what sampling has passed over and turns out to be worth it: the spans of a trace that failed or was slow, as far as this
// process has made them. The spans of other processes are not called back; a failed call fails its caller too, so both keep
// their part.
import { SpanStatusCode, TraceFlags, type Context } from "@opentelemetry/api";
import type { ReadableSpan, Span, SpanProcessor } from "@opentelemetry/sdk-trace";

export interface TailLimits {
  readonly slowMs: number;
  readonly heldTracesMax: number;
  readonly heldSpansMax: number;
}

/** A trace that sampling has passed over, while spans of it are open here. */
interface Held {
  readonly spans: ReadableSpan[];
  open: number;
  isKept: boolean;
}

export class TailRule implements SpanProcessor {
  readonly #next: SpanProcessor;
  readonly #limits: TailLimits;
  readonly #onDrop: (spans: number) => void;
  /** By trace, the one that began first in front. */
  readonly #held = new Map<string, Held>();
  /** Spans in all of them. */
  #spans = 0;

  /** `onDrop` is called with the number of spans that did not fit. */
  constructor(next: SpanProcessor, limits: TailLimits, onDrop: (spans: number) => void) {
    this.#next = next;
    this.#limits = limits;
    this.#onDrop = onDrop;
  }

  onStart(span: Span, parent: Context): void {
    const { traceId, traceFlags } = span.spanContext();
    if (traceFlags & TraceFlags.SAMPLED) return this.#next.onStart(span, parent);
    const held = this.#held.get(traceId);
    if (held) return void held.open++;
    if (this.#held.size >= this.#limits.heldTracesMax) this.#dropFirst();
    this.#held.set(traceId, { spans: [], open: 1, isKept: false });
  }

  onEnd(span: ReadableSpan): void {
    const { traceId, traceFlags } = span.spanContext();
    if (traceFlags & TraceFlags.SAMPLED) return this.#next.onEnd(span);
    const held = this.#held.get(traceId);
    // It was dropped when there were too many.
    if (!held) return this.#onDrop(1);
    held.spans.push(span);
    this.#spans++;
    held.isKept ||= span.status.code === SpanStatusCode.ERROR || msOf(span.duration) >= this.#limits.slowMs;
    held.open--;
    if (held.open > 0) {
      if (this.#spans > this.#limits.heldSpansMax) this.#dropFirst();
      return;
    }
    this.#remove(traceId, held);
    if (held.isKept) for (const one of held.spans) this.#next.onEnd(sampled(one));
  }

  #dropFirst(): void {
    const [[traceId, held]] = this.#held as unknown as [[string, Held]];
    this.#remove(traceId, held);
    this.#onDrop(held.spans.length);
  }

  #remove(traceId: string, { spans }: Held): void {
    this.#held.delete(traceId);
    this.#spans -= spans.length;
  }

  forceFlush(): Promise<void> {
    return this.#next.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#next.shutdown();
  }
}

const msOf = ([seconds, nanos]: ReadableSpan["duration"]): number => seconds * 1_000 + nanos / 1_000_000;

/** The processors behind pass over a span whose flag is not set. */
function sampled(span: ReadableSpan): ReadableSpan {
  const spanContext = { ...span.spanContext(), traceFlags: TraceFlags.SAMPLED };
  return Object.create(span, { spanContext: { value: () => spanContext } }) as ReadableSpan;
}
