// Spans: those of a trace that is kept are the SDK's, those of one that sampling has passed over are held for the tail rule.
import { ROOT_CONTEXT, trace, TraceFlags, type Context, type SpanContext, type Tracer } from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import { isPromise } from "../kernel/index.ts";
import { currentSpan, withSpan, type OwnSpan } from "./context.ts";
import { HeldSpan, KINDS } from "./held-span.ts";
import { newTraceId, type TraceIds } from "./ids.ts";
import { limits } from "./limits.ts";
import { RecordedSpan } from "./recorded-span.ts";
import type { Keeps } from "./sampler.ts";
import type { TailRule } from "./tail-rule.ts";
import type { Span, SpanStart, Tracing } from "./tracing.ts";

export interface SpansOptions {
  /** Keeps every span that it makes. */
  readonly tracer: Tracer;
  readonly ids: TraceIds;
  readonly keeps: Keeps;
  readonly rule: TailRule;
}

export class Spans implements Pick<Tracing, "begin" | "within" | "inside" | "current"> {
  readonly #options: SpansOptions;

  constructor(options: SpansOptions) {
    this.#options = options;
  }

  begin(start: SpanStart): OwnSpan {
    if (start.causes !== undefined) return this.#beginFor(start.causes, start);
    const parent = start.parent === undefined ? this.current() : start.parent;
    if (parent instanceof HeldSpan) return new HeldSpan(parent.trace, parent, start);
    if (parent instanceof RecordedSpan) return this.#record(parent.context, start);
    return this.#beginIn(typeof parent === "string" ? contextsOf([parent])[0] : undefined, start);
  }

  /** A span that begins its trace here, or goes on with one from elsewhere. */
  #beginIn(remote: SpanContext | undefined, start: SpanStart): OwnSpan {
    const traceId = remote?.traceId ?? newTraceId();
    const within = remote ? trace.setSpanContext(ROOT_CONTEXT, remote) : ROOT_CONTEXT;
    if (!this.#options.keeps(traceId, within)) return this.#hold(traceId, remote, start);
    if (!remote) this.#options.ids.announce(traceId);
    return this.#record(within, start);
  }

  /**
   * A span that works for several. It begins a trace of its own only if they are of several traces, and is kept then if one of
   * theirs is: by chance, hardly any batch of events would be kept with the requests that caused them.
   */
  #beginFor(causes: readonly string[], start: SpanStart): OwnSpan {
    const [first] = contextsOf(causes.slice(0, 1));
    const isKept = causes.some(isSampled);
    // Most traces are passed over. Their links are read when the tail rule keeps them.
    if (first && !isKept && causes.every(cause => cause.startsWith(first.traceId, TRACE_AT)))
      return this.#beginIn(first, start);
    const linked = contextsOf(causes);
    if (linked.length === 0) return this.#beginIn(undefined, start);
    const common = commonTraceOf(linked);
    if (common) return this.#beginIn(common, start);
    if (!linked.some(({ traceFlags }) => traceFlags & TraceFlags.SAMPLED))
      return this.#hold(newTraceId(), undefined, start);
    return this.#record(ROOT_CONTEXT, start);
  }

  #hold(traceId: string, parent: SpanContext | undefined, start: SpanStart): HeldSpan {
    return new HeldSpan(this.#options.rule.traceOf(traceId), parent, start);
  }

  #record(within: Context, { name, kind = "internal", causes, attributes }: SpanStart): RecordedSpan {
    const options = { kind: KINDS[kind], ...(attributes && { attributes }), ...(causes && { links: linksOf(causes) }) };
    return new RecordedSpan(this.#options.tracer.startSpan(name, options, within));
  }

  within<T>(start: SpanStart, work: (span: Span) => T): T {
    const span = this.begin(start);
    let result: T;
    try {
      result = withSpan(span, () => work(span));
    } catch (error) {
      span.end(error);
      throw error;
    }
    if (isPromise(result))
      (result as Promise<unknown>).then(
        () => span.end(),
        (error: unknown) => span.end(error),
      );
    else span.end();
    return result;
  }

  inside<T>(span: Span | undefined, work: () => T): T {
    return withSpan(span as OwnSpan | undefined, work);
  }

  current(): OwnSpan | undefined {
    return currentSpan();
  }
}

/** A text that is no `traceparent` is left out: it comes from clients, and from rows of any age. */
const contextsOf = (traceparents: readonly string[]): SpanContext[] =>
  [...new Set(traceparents)].flatMap(text => {
    const read = parseTraceParent(text);
    return read ? [{ ...read, isRemote: true }] : [];
  });

/** The links of a span that works for these, as far as they fit. */
export const linksOf = (causes: readonly string[]) =>
  contextsOf(causes)
    .slice(0, limits.linksMax)
    .map(cause => ({ context: cause }));

/** Where the trace's id and the flags stand in a `traceparent`. */
const TRACE_AT = 3;
const FLAGS_AT = 53;
const isSampled = (traceparent: string): boolean =>
  (Number.parseInt(traceparent.slice(FLAGS_AT), 16) & TraceFlags.SAMPLED) !== 0;

/** The first of them if all are of one trace. */
function commonTraceOf(causes: readonly SpanContext[]): SpanContext | undefined {
  const [first] = causes;
  return causes.every(({ traceId }) => traceId === first!.traceId) ? first : undefined;
}
