// The interface by which the other floors make spans. They ask for it once, when they are built; where nothing is traced they
// get undefined, and neither OpenTelemetry nor a wrapper is on their way.

import type { RecentTraces } from "./recent-traces.ts";

/** Values of a span, by the names of `ATTRIBUTES`. Those that are undefined are left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** One piece of work in a trace. */
export interface Span {
  /** Its place in its trace, for others that work on because of it: `00-<trace>-<span>-<flags>`, as W3C has it. */
  readonly traceparent: string;
  /** What other systems have noted about the trace, as W3C has it: what came with its remote parent. Undefined: nothing. */
  readonly tracestate: string | undefined;
  /** Whether sampling keeps its trace. Another one may still be kept, by the tail rule. */
  readonly isSampled: boolean;
  set(attributes: Attributes): void;
  rename(name: string): void;
  /** Something that happened meanwhile; `at` as `performance.now()` has it, by default now. */
  event(name: string, at?: number): void;
  /**
   * Ends it. With an error it has failed; a refusal is an answer, and only named. The second time it does nothing. `at`: now, for
   * a caller that has read `performance.now()` already.
   */
  end(error?: unknown, at?: number): void;
}

/**
 * A span's place in its trace, as headers and the metadata of events carry it. What is no `traceparent` is as good as none; of
 * the `tracestate` at most 32 members and 512 bytes are taken, and malformed members are left out.
 */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** A span, or the place of one: its `traceparent` alone, or with a `tracestate`. */
export type Cause = Span | TraceContext | string;

/** A cause, or null for none. */
export type Parent = Cause | null;

/** The place of a span, for headers and metadata. */
export const traceContextOf = ({ traceparent, tracestate }: TraceContext | Span): TraceContext =>
  tracestate === undefined ? { traceparent } : { traceparent, tracestate };

/** The cause that headers or metadata carry, if any. */
export function carriedCause({ traceparent, tracestate }: Partial<TraceContext> = {}):
  TraceContext | string | undefined {
  return traceparent === undefined || tracestate === undefined ? traceparent : { traceparent, tracestate };
}

export interface SpanStart {
  /**
   * One of `SPANS`, or the name of an action, a route or a statement: few different ones, no ids. By a function where it takes
   * time to find: it is called, later, only for a span that is kept.
   */
  readonly name: string | (() => string);
  readonly kind?: "internal" | "server" | "client" | "producer" | "consumer";
  /** The span that it is a part of. Default: the current one. */
  readonly parent?: Parent | undefined;
  /**
   * Instead of a parent: the spans for which it works. It links to each of them. All of one trace: it is a part of the first
   * one. Of several: it begins a trace of its own, which is kept if one of theirs is.
   */
  readonly causes?: readonly Cause[];
  /** By a function where it pays not to make them: it is called, later, only for a span that is kept. */
  readonly attributes?: Attributes | (() => Attributes);
  /** Now, for a caller that has read `performance.now()` already. */
  readonly at?: number;
}

export const nameOf = (given: SpanStart["name"]): string => (typeof given === "function" ? given() : given);

export const attributesOf = (given: SpanStart["attributes"]): Attributes | undefined =>
  typeof given === "function" ? given() : given;

export interface Tracing {
  /** Begins a span. The caller ends it. */
  begin(start: SpanStart): Span;
  /** The same for a piece of `parent`, where there are many: no object but the span is made. `at`: as `performance.now()` has it. */
  beginIn(parent: Span, name: string, attributes: Attributes, at: number): Span;
  /** Does the work as a span, which is the current one meanwhile and ends with it. */
  within<T>(start: SpanStart, work: (span: Span) => T): T;
  /** Does the work, in which this span is the current one; undefined: none is. */
  inside<T>(span: Span | undefined, work: () => T): T;
  /** Like `inside`, for a call: the kernel's `workFor`, which follows for the same one, then enters nothing more. */
  insideOf<C extends object, T>(call: C, span: Span, work: (call: C) => T): T;
  /** The current span, unless it has ended: work that goes on in its name has a trace of its own, or none. */
  current(): Span | undefined;
  /** The latest traces that were slow or failed. */
  readonly recent: Recent;
  /** Since the process began. */
  readonly counts: TraceCounts;
  /** Sends what waits to the collector, for 2 s at most. Never rejects. */
  flush(): Promise<void>;
  /** Flushes, and traces nothing from then on. For tests: a process ends with its broker. */
  stop(): Promise<void>;
}

/** What of `RecentTraces` those see who look. */
export type Recent = Pick<RecentTraces, "list" | "spansOf">;

/** Spans that a collector has taken, and that were dropped, by the reason. */
export interface TraceCounts {
  exported: number;
  /** The queue was full: the collector is slow, or away. */
  queueFull: number;
  /** The collector refused them, or did not answer. */
  exportFailed: number;
  /** Of traces that were held to see whether they are slow or failed, when there were too many. */
  notHeld: number;
}

let active: Tracing | undefined;

/** How this process traces; undefined while it does not. */
export const tracing = (): Tracing | undefined => active;

/** For `startTracing`. */
export function activate(next: Tracing | undefined): void {
  active = next;
}
