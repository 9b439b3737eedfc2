// The span in which work goes on, also after it has waited: as we ask for it, and as OpenTelemetry's own instrumentations do.
import {
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type ContextManager,
  type Span as OtelSpan,
  type SpanStatus,
} from "@opentelemetry/api";
import { spanAtHand, workInSpan } from "../kernel/index.ts";
import { HeldSpan } from "./held-span.ts";
import { RecordedSpan } from "./recorded-span.ts";

export type OwnSpan = RecordedSpan | HeldSpan;

/** Undefined also when it has ended: work that goes on in its name is no part of it. */
export function currentSpan(): OwnSpan | undefined {
  const current = spanAtHand();
  return isOwn(current) && current.isRecording ? current : undefined;
}

export const withSpan = <T>(span: OwnSpan | undefined, work: () => T): T => workInSpan(span, work);

const isOwn = (current: unknown): current is OwnSpan => current instanceof HeldSpan || current instanceof RecordedSpan;

/** Makes contexts only for those who ask: our own spans need none. */
export const contextManager: ContextManager = {
  active() {
    const current = spanAtHand();
    if (!isOwn(current)) return (current as Context | undefined) ?? ROOT_CONTEXT;
    return trace.setSpan(ROOT_CONTEXT, apiSpanOf(current));
  },
  with: (context, work, thisArg, ...args) => workInSpan(context, () => work.apply(thisArg!, args)),
  bind(context, target) {
    if (typeof target !== "function") return target;
    const bound = (...args: unknown[]): unknown => workInSpan(context, () => target(...args) as unknown);
    return bound as typeof target;
  },
  enable() {
    return this;
  },
  disable() {
    return this;
  },
};

/** A span as OpenTelemetry's API has it. */
export const apiSpanOf = (span: OwnSpan): OtelSpan => (span instanceof RecordedSpan ? span.otel : new ApiSpan(span));

class ApiSpan implements OtelSpan {
  readonly #span: HeldSpan;

  constructor(span: HeldSpan) {
    this.#span = span;
  }

  spanContext() {
    return { ...this.#span.context, isRemote: false };
  }
  setAttribute(name: string, value: unknown): this {
    return this.setAttributes({ [name]: value });
  }
  setAttributes(attributes: Attributes): this {
    this.#span.set(attributes as Record<string, string>);
    return this;
  }
  addEvent(name: string): this {
    this.#span.event(name);
    return this;
  }
  addLink(): this {
    return this;
  }
  addLinks(): this {
    return this;
  }
  setStatus({ code, message }: SpanStatus): this {
    if (code === SpanStatusCode.ERROR) this.#span.fail(message);
    return this;
  }
  updateName(name: string): this {
    this.#span.rename(name);
    return this;
  }
  recordException(): void {
    this.#span.event("exception");
  }
  isRecording(): boolean {
    return this.#span.isRecording;
  }
  end(): void {
    this.#span.end();
  }
}
