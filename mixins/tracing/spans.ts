// Spans by OpenTelemetry's API.
import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span as OtelSpan,
  type SpanContext,
  type Tracer,
} from "@opentelemetry/api";
import { parseTraceParent } from "@opentelemetry/core";
import { isPromise, isRefusal, plainError, withoutSecrets } from "../kernel/index.ts";
import { limits } from "./limits.ts";
import { ATTRIBUTES } from "./names.ts";
import type { Attributes, Parent, Span, SpanStart, Tracing } from "./tracing.ts";

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

export class Spans implements Pick<Tracing, "begin" | "within" | "inside" | "current"> {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  begin({ name, kind = "internal", parent, causes, attributes }: SpanStart): Span {
    const linked = causes && contextsOf(causes);
    const within = linked
      ? withRemote(commonTraceOf(linked))
      : contextOf(parent === undefined ? this.current() : parent);
    const links = linked?.slice(0, limits.linksMax).map(cause => ({ context: cause }));
    const options = { kind: KINDS[kind], ...(attributes && { attributes }), ...(links && { links }) };
    return new RecordedSpan(this.#tracer.startSpan(name, options, within));
  }

  within<T>(start: SpanStart, work: (span: Span) => T): T {
    const span = this.begin(start);
    let result: T;
    try {
      result = this.inside(span, () => work(span));
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
    return context.with(contextOf(span ?? null), work);
  }

  current(): Span | undefined {
    const span = trace.getActiveSpan();
    return span?.isRecording() ? new RecordedSpan(span) : undefined;
  }
}

class RecordedSpan implements Span {
  readonly otel: OtelSpan;

  constructor(otel: OtelSpan) {
    this.otel = otel;
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.otel.spanContext();
    return `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`;
  }

  set(attributes: Attributes): void {
    for (const [name, value] of Object.entries(attributes))
      if (value !== undefined) this.otel.setAttribute(name, value);
  }

  rename(name: string): void {
    this.otel.updateName(name);
  }

  event(name: string, at: number = performance.now()): void {
    this.otel.addEvent(name, at);
  }

  end(error?: unknown): void {
    if (!this.otel.isRecording()) return;
    if (error !== undefined) this.#fail(error);
    this.otel.end();
  }

  #fail(error: unknown): void {
    const { type, message } = plainError(error);
    this.otel.setAttribute(ATTRIBUTES.errorType, type);
    if (isRefusal(error)) return;
    const text = withoutSecrets(message);
    this.otel.setStatus({ code: SpanStatusCode.ERROR, message: text });
    this.otel.recordException({ name: type, message: text });
  }
}

function contextOf(parent: Parent | undefined): Context {
  if (parent instanceof RecordedSpan) return trace.setSpan(ROOT_CONTEXT, parent.otel);
  return withRemote(typeof parent === "string" ? contextsOf([parent])[0] : undefined);
}

const withRemote = (remote: SpanContext | undefined): Context =>
  remote ? trace.setSpanContext(ROOT_CONTEXT, remote) : ROOT_CONTEXT;

/** A text that is no `traceparent` is left out: it comes from clients, and from rows of any age. */
const contextsOf = (traceparents: readonly string[]): SpanContext[] =>
  [...new Set(traceparents)].flatMap(text => {
    const read = parseTraceParent(text);
    return read ? [{ ...read, isRemote: true }] : [];
  });

/** The first of them if all are of one trace. */
function commonTraceOf(causes: readonly SpanContext[]): SpanContext | undefined {
  const [first] = causes;
  return causes.every(({ traceId }) => traceId === first!.traceId) ? first : undefined;
}
