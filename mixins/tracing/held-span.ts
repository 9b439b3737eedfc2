// A span of a trace that sampling has passed over. Nearly all of them are forgotten when their trace has ended, so they only note
// what they are given; what the SDK makes of a span, ten times the work, is made of those that the tail rule keeps.
import {
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Link,
  type SpanContext,
  type SpanStatus,
  type TraceState,
} from "@opentelemetry/api";
import { millisToHrTime } from "@opentelemetry/core";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace";
import { isRefusal, plainError, withoutSecrets } from "../kernel/index.ts";
import { newSpanId } from "./ids.ts";
import { limits } from "./limits.ts";
import { ATTRIBUTES } from "./names.ts";
import type { HeldTrace } from "./tail-rule.ts";
import { attributesOf, nameOf, type Attributes, type Cause, type Span, type SpanStart } from "./tracing.ts";

export const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

interface NotedEvent {
  readonly name: string;
  readonly at: number;
  readonly attributes?: Attributes;
}

type Given = SpanStart["attributes"];
type Kind = keyof typeof KINDS;

/** What few spans have. */
interface More {
  causes?: readonly Cause[];
  events?: NotedEvent[];
  status?: SpanStatus;
  /** A span of a trace that is kept, which works for this one too. */
  servedBy?: SpanContext;
}

export class HeldSpan implements Span {
  readonly trace: HeldTrace;
  readonly parent: HeldSpan | SpanContext | undefined;
  #name: SpanStart["name"];
  /** The span of its trace that has ended before it. */
  before: HeldSpan | undefined;
  readonly #kind: Kind;
  readonly #given: Given;
  readonly #beganAt: number;
  #endedAt: number | undefined;
  #id: string | undefined;
  #set: Attributes | undefined;
  #more: More | undefined;

  constructor(
    trace: HeldTrace,
    parent: HeldSpan | SpanContext | undefined,
    name: SpanStart["name"],
    kind: Kind,
    given: Given,
    at: number,
  ) {
    this.trace = trace;
    this.parent = parent;
    this.#name = name;
    this.#kind = kind;
    this.#given = given;
    this.#beganAt = at;
    trace.open++;
  }

  get id(): string {
    return (this.#id ??= newSpanId());
  }
  get traceparent(): string {
    return `00-${this.trace.id}-${this.id}-00`;
  }
  get tracestate(): string | undefined {
    return this.state?.serialize();
  }
  /** Looked for when it is asked for: hardly any trace has one. */
  get state(): TraceState | undefined {
    let { parent } = this;
    while (parent instanceof HeldSpan) parent = parent.parent;
    return parent?.traceState;
  }
  /** As links to it have it. */
  get context(): SpanContext {
    return { traceId: this.trace.id, spanId: this.id, traceFlags: TraceFlags.NONE, isRemote: true, ...this.#withState };
  }
  get #withState(): Pick<SpanContext, "traceState"> {
    const { state } = this;
    return state ? { traceState: state } : {};
  }
  get isSampled(): boolean {
    return false;
  }
  get isRecording(): boolean {
    return this.#endedAt === undefined;
  }
  get hasFailed(): boolean {
    return this.#more?.status?.code === SpanStatusCode.ERROR;
  }
  /** Milliseconds that it has taken. */
  get ms(): number {
    return this.#endedAt! - this.#beganAt;
  }
  get causes(): readonly Cause[] {
    return this.#more?.causes ?? [];
  }
  get more(): More {
    return (this.#more ??= {});
  }

  set(attributes: Attributes): void {
    if (this.isRecording) this.#set = this.#set ? { ...this.#set, ...attributes } : attributes;
  }
  rename(name: string): void {
    if (this.isRecording) this.#name = name;
  }
  event(name: string, at: number = performance.now(), attributes?: Attributes): void {
    if (this.isRecording) (this.more.events ??= []).push({ name, at, ...(attributes && { attributes }) });
  }
  /** It has failed, or, without a text, only its status says so. */
  fail(message?: string): void {
    if (this.isRecording) this.more.status = { code: SpanStatusCode.ERROR, ...(message !== undefined && { message }) };
  }
  end(error?: unknown, at: number = performance.now()): void {
    if (!this.isRecording) return;
    if (error !== undefined) noteFailure(this, error);
    this.#endedAt = at;
    this.trace.rule.take(this);
  }

  /**
   * As the SDK's processors and exporters take it: kept. `links`: to its causes. `epoch`: what `performance.now()` counts from,
   * the same for all spans of a trace, since the clock tells whole milliseconds.
   */
  toReadable(resource: Resource, links: Link[], epoch = epochMs()): ReadableSpan {
    const { trace, parent } = this;
    const { status = { code: SpanStatusCode.UNSET }, events = [], servedBy } = this.#more ?? {};
    const time = (ms: number) => millisToHrTime(epoch + ms);
    const spanContext = { traceId: trace.id, spanId: this.id, traceFlags: TraceFlags.SAMPLED, ...this.#withState };
    const parentSpanContext =
      parent instanceof HeldSpan ? { ...spanContext, spanId: parent.id, traceFlags: TraceFlags.NONE } : parent;
    return {
      name: nameOf(this.#name),
      kind: KINDS[this.#kind],
      spanContext: () => spanContext,
      ...(parentSpanContext && { parentSpanContext }),
      startTime: time(this.#beganAt),
      endTime: time(this.#endedAt!),
      duration: millisToHrTime(this.ms),
      ended: true,
      status,
      attributes: shortened(attributesOf(this.#given), this.#set),
      events: events.map(event => readableEvent(event, time)),
      links: servedBy ? [...links, { context: servedBy }] : links,
      resource,
      instrumentationScope: SCOPE,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  }
}

/** Milliseconds since the epoch at which `performance.now()` was 0, by the clock as it is now: it may have been set meanwhile. */
export const epochMs = (): number => Date.now() - performance.now();

export const SCOPE = { name: "@valence/runtime" };

/** Notes why a span fails. A refusal is an answer, and no failure. */
function noteFailure(span: HeldSpan, error: unknown): void {
  const { type, message } = plainError(error);
  span.set({ [ATTRIBUTES.errorType]: type });
  if (isRefusal(error)) return;
  const text = withoutSecrets(message);
  span.fail(text);
  span.event("exception", undefined, { "exception.type": type, "exception.message": text });
}

function readableEvent({ name, at, attributes }: NotedEvent, time: (ms: number) => TimedEvent["time"]): TimedEvent {
  return { name, time: time(at), ...(attributes && { attributes: shortened(attributes) }), droppedAttributesCount: 0 };
}

function shortened(...given: readonly (Attributes | undefined)[]): Record<string, string | number | boolean> {
  const all: Record<string, string | number | boolean> = {};
  for (const attributes of given)
    for (const [name, value] of Object.entries(attributes ?? {}))
      if (value !== undefined) all[name] = typeof value === "string" ? value.slice(0, limits.valueChars) : value;
  return all;
}
