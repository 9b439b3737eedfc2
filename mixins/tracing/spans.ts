// Spans: those of a trace that is kept are the SDK's, those of one that sampling has passed over are held for the tail rule.
import {
  ROOT_CONTEXT,
  trace,
  TraceFlags,
  type Context,
  type Link,
  type SpanContext,
  type Tracer,
} from "@opentelemetry/api";
import { parseTraceParent, TraceState } from "@opentelemetry/core";
import { openCall } from "../kernel/index.ts";
import { currentSpan, withSpan, type OwnSpan } from "./context.ts";
import { HeldSpan, KINDS } from "./held-span.ts";
import { newTraceId, type TraceIds } from "./ids.ts";
import { limits } from "./limits.ts";
import { RecordedSpan } from "./recorded-span.ts";
import type { Sampler } from "./sampler.ts";
import type { HeldTrace, TailRule } from "./tail-rule.ts";
import {
  attributesOf,
  nameOf,
  type Attributes,
  type Cause,
  type Span,
  type SpanStart,
  type Tracing,
} from "./tracing.ts";

export interface SpansOptions {
  /** Keeps every span that it makes. */
  readonly tracer: Tracer;
  readonly ids: TraceIds;
  readonly sampler: Sampler;
  readonly rule: TailRule;
}

export class Spans implements Pick<Tracing, "begin" | "beginIn" | "within" | "inside" | "insideOf" | "current"> {
  readonly #options: SpansOptions;

  constructor(options: SpansOptions) {
    this.#options = options;
  }

  begin(start: SpanStart): OwnSpan {
    if (start.causes !== undefined) return this.#beginFor(start.causes, start);
    const parent = start.parent === undefined ? this.current() : start.parent;
    if (parent instanceof HeldSpan) return hold(parent.trace, parent, start);
    if (parent instanceof RecordedSpan) return this.#record(parent.context, start);
    const remote = parent ? contextsOf([parent])[0] : undefined;
    return remote ? this.#goOn(remote, start) : this.#beginTrace(start);
  }

  beginIn(parent: Span, name: string, attributes: Attributes, at: number): OwnSpan {
    if (parent instanceof HeldSpan) return new HeldSpan(parent.trace, parent, name, "internal", attributes, at);
    return this.begin({ name, parent, attributes, at });
  }

  #beginTrace(start: SpanStart): OwnSpan {
    const { sampler, ids, rule } = this.#options;
    const trace = newTraceId();
    if (!sampler.keepsNew(trace)) return hold(rule.begin(trace.id), undefined, start);
    ids.announce(trace.id);
    return this.#record(ROOT_CONTEXT, start);
  }

  /** A span of a trace from elsewhere. */
  #goOn(remote: SpanContext, start: SpanStart): OwnSpan {
    const { sampler, rule } = this.#options;
    const { traceId } = remote;
    const within = trace.setSpanContext(ROOT_CONTEXT, remote);
    if (sampler.keeps(traceId, within)) return this.#record(within, start);
    return hold(rule.traceOf(traceId), remote, start);
  }

  /**
   * A span that works for several. It begins a trace of its own only if they are of several traces, and is kept then if one of
   * theirs is: by chance, hardly any batch of events would be kept with the requests that caused them.
   */
  #beginFor(causes: readonly Cause[], start: SpanStart): OwnSpan {
    if (causes.length === 0) return this.#beginTrace(start);
    // Most traces are passed over. Links to them are read when the tail rule keeps them.
    if (causes.every(isPassedOver)) return this.#beginForPassedOver(causes, start);
    const held = causes.filter(cause => cause instanceof HeldSpan);
    const linked = contextsOf(causes.filter(cause => !(cause instanceof HeldSpan)));
    const common = held.length === 0 ? commonTraceOf(linked) : undefined;
    if (common) return this.#goOn(common, start);
    if (!linked.some(isSampled))
      return held.length + linked.length > 0 ? this.#holdAlone(start) : this.#beginTrace(start);
    const span = this.#record(ROOT_CONTEXT, start, linked);
    // Hardly one of these is ever kept. If so, it links to the span that works for it, instead of the other way round.
    for (const cause of held) cause.more.servedBy = span.otel.spanContext();
    return span;
  }

  #beginForPassedOver(causes: readonly Cause[], start: SpanStart): OwnSpan {
    const first = causes[0]!;
    const id = traceIdOf(first);
    if (!causes.every(cause => traceIdOf(cause) === id)) return this.#holdAlone(start);
    if (first instanceof HeldSpan) return hold(first.trace, first, start);
    const [remote] = contextsOf([first]);
    return remote ? this.#goOn(remote, start) : this.#beginTrace(start);
  }

  #holdAlone(start: SpanStart): HeldSpan {
    return hold(this.#options.rule.begin(newTraceId().id), undefined, start);
  }

  #record(within: Context, start: SpanStart, linked = contextsOf(start.causes ?? [])): RecordedSpan {
    const { name, kind = "internal", at: startTime } = start;
    const attributes = attributesOf(start.attributes);
    const options = {
      kind: KINDS[kind],
      ...(attributes && { attributes }),
      links: linksTo(linked),
      ...(startTime !== undefined && { startTime }),
    };
    return new RecordedSpan(this.#options.tracer.startSpan(nameOf(name), options, within));
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
    if (isThenable(result))
      result.then(
        () => span.end(),
        (error: unknown) => span.end(error),
      );
    else span.end();
    return result;
  }

  inside<T>(span: Span | undefined, work: () => T): T {
    return withSpan(span as OwnSpan | undefined, work);
  }

  insideOf<C extends object, T>(call: C, span: Span, work: (call: C) => T): T {
    return openCall(call, span, work);
  }

  current(): OwnSpan | undefined {
    return currentSpan();
  }
}

function hold(trace: HeldTrace, parent: HeldSpan | SpanContext | undefined, start: SpanStart): HeldSpan {
  const { name, kind = "internal", attributes, causes, at = performance.now() } = start;
  const span = new HeldSpan(trace, parent, name, kind, attributes, at);
  if (causes) span.more.causes = causes;
  return span;
}

/** Each once. A text that is no `traceparent` is left out: it comes from clients, and from rows of any age. */
const contextsOf = (causes: readonly Cause[]): SpanContext[] =>
  onceEach(causes).flatMap(cause => {
    if (cause instanceof HeldSpan) return cause.context;
    const read = parseTraceParent(textOf(cause));
    if (!read) return [];
    const traceState = typeof cause === "string" ? undefined : stateIn(cause.tracestate);
    return { ...read, isRemote: true, ...(traceState && { traceState }) };
  });

/** Undefined where no member of the text is well formed: an empty one would be sent on. */
function stateIn(text: string | undefined): TraceState | undefined {
  const state = text === undefined ? undefined : new TraceState(text);
  return state?.serialize() ? state : undefined;
}

/** Events of one command are read with a text, or an object, each. A held span is itself: its text would need an id. */
const onceEach = (causes: readonly Cause[]): Cause[] => [
  ...new Map(causes.map(cause => [cause instanceof HeldSpan ? cause : textOf(cause), cause])).values(),
];

const textOf = (cause: Cause): string => (typeof cause === "string" ? cause : cause.traceparent);

const linksTo = (contexts: readonly SpanContext[]): Link[] =>
  contexts.slice(0, limits.linksMax).map(context => ({ context }));

/** The links of a span that works for these, as far as they fit. */
export const linksOf = (causes: readonly Cause[]): Link[] => linksTo(contextsOf(causes));

/** `00-<trace>-<span>-00` */
const TRACEPARENT_CHARS = 55;
function isPassedOver(cause: Cause): boolean {
  if (cause instanceof HeldSpan) return true;
  if (cause instanceof RecordedSpan) return false;
  const text = textOf(cause);
  return text.length === TRACEPARENT_CHARS && text.endsWith("-00");
}

const traceIdOf = (cause: Cause): string => (cause instanceof HeldSpan ? cause.trace.id : textOf(cause).slice(3, 35));

const isSampled = ({ traceFlags }: SpanContext): boolean => (traceFlags & TraceFlags.SAMPLED) !== 0;

/** The first of them if all are of one trace. */
function commonTraceOf(causes: readonly SpanContext[]): SpanContext | undefined {
  const [first] = causes;
  return causes.every(({ traceId }) => traceId === first!.traceId) ? first : undefined;
}

const isThenable = (given: unknown): given is PromiseLike<unknown> =>
  typeof (given as { then?: unknown } | null | undefined)?.then === "function";
