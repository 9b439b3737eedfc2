// A span of a trace that is kept: the SDK's.
import {
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span as OtelSpan,
} from "@opentelemetry/api";
import { isRefusal, plainError, withoutSecrets } from "../kernel/index.ts";
import { ATTRIBUTES } from "./names.ts";
import type { Attributes, Span } from "./tracing.ts";

export class RecordedSpan implements Span {
  readonly otel: OtelSpan;
  #context: Context | undefined;

  constructor(otel: OtelSpan) {
    this.otel = otel;
  }

  /** The context in which it is the current one. */
  get context(): Context {
    return (this.#context ??= trace.setSpan(ROOT_CONTEXT, this.otel));
  }
  get isRecording(): boolean {
    return this.otel.isRecording();
  }
  get isSampled(): boolean {
    return true;
  }
  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.otel.spanContext();
    return `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`;
  }
  get tracestate(): string | undefined {
    return this.otel.spanContext().traceState?.serialize();
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

  /** `at`: given always, since the SDK reads another clock for the end of a span whose start it was given. */
  end(error?: unknown, at: number = performance.now()): void {
    if (!this.otel.isRecording()) return;
    if (error !== undefined) this.#fail(error);
    this.otel.end(at);
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
