// The latest traces that were slow or failed, in memory, for operators who look: whether a collector takes them or not. Those that
// sampling passes over come from the tail rule once they have ended here; of the others the ended spans are gathered until none is
// open. Requests of operators are left out: whoever looks would see themselves.
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import { SpanKind, SpanStatusCode, type HrTime } from "@opentelemetry/api";
import { ATTRIBUTES } from "./names.ts";

export interface RecentLimits {
  readonly slowMs: number;
  readonly recentTracesMax: number;
  readonly recentSpansMax: number;
  readonly heldTracesMax: number;
}

export interface RecentSpan {
  readonly id: string;
  /** Id of the span that it is a part of, which may be another node's. */
  readonly parent?: string;
  readonly name: string;
  readonly kind: string;
  /** Milliseconds since the epoch, with microseconds behind the point, and milliseconds that it took. */
  readonly startMs: number;
  readonly ms: number;
  readonly failed: boolean;
  readonly error?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Traces of spans for which it works. */
  readonly links: readonly string[];
}

/** One process's part of a trace. */
export interface RecentTrace {
  readonly id: string;
  /** Of the span that leads to the others here. */
  readonly name: string;
  readonly startMs: number;
  readonly ms: number;
  readonly failed: boolean;
  readonly error?: string;
  readonly requestId?: string;
  readonly spans: number;
}

/** The answer of a node. */
export interface NodeTraces {
  readonly isTraced: boolean;
  readonly traces: readonly RecentTrace[];
}

interface Gathered {
  open: number;
  readonly spans: ReadableSpan[];
}

export class RecentTraces implements SpanProcessor {
  readonly #limits: RecentLimits;
  /** By trace, the one that was kept first in front. */
  readonly #kept = new Map<string, RecentSpan[]>();
  /** Traces that sampling keeps, while spans of them are open here. */
  readonly #gathered = new Map<string, Gathered>();

  constructor(limits: RecentLimits) {
    this.#limits = limits;
  }

  onStart(span: { spanContext(): { traceId: string } }): void {
    const { traceId } = span.spanContext();
    const gathered = this.#gathered.get(traceId);
    if (gathered) return void gathered.open++;
    if (this.#gathered.size >= this.#limits.heldTracesMax) this.#gathered.delete(firstOf(this.#gathered));
    this.#gathered.set(traceId, { open: 1, spans: [] });
  }

  onEnd(span: ReadableSpan): void {
    const { traceId } = span.spanContext();
    const gathered = this.#gathered.get(traceId);
    // It has given way to newer ones.
    if (!gathered) return;
    if (gathered.spans.length < this.#limits.recentSpansMax) gathered.spans.push(span);
    if (--gathered.open > 0) return;
    this.#gathered.delete(traceId);
    if (gathered.spans.some(one => hasFailed(one) || msOf(one.duration) >= this.#limits.slowMs))
      this.keep(gathered.spans);
  }

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }
  shutdown(): Promise<void> {
    return Promise.resolve();
  }

  /** Takes spans of one trace, which has ended here. A saga goes on later: its spans are added then. */
  keep(spans: readonly ReadableSpan[]): void {
    const [first] = spans;
    if (first === undefined || spans.some(isOfOperators)) return;
    const id = first.spanContext().traceId;
    const all = [...(this.#kept.get(id) ?? []), ...spans.map(recentOf)].slice(-this.#limits.recentSpansMax);
    this.#kept.delete(id);
    this.#kept.set(id, all);
    if (this.#kept.size > this.#limits.recentTracesMax) this.#kept.delete(firstOf(this.#kept));
  }

  /** The latest first. `q`: the id of a trace, or a part of any value that a span has, such as the id of a request or an actor. */
  list(q?: string): RecentTrace[] {
    return [...this.#kept]
      .filter(([id, spans]) => q === undefined || id === q || spans.some(span => tells(span, q)))
      .map(([id, spans]) => summaryOf(id, spans))
      .reverse();
  }

  /** The spans of a trace, in the order of their ends. */
  spansOf(id: string): readonly RecentSpan[] {
    return this.#kept.get(id) ?? [];
  }
}

const firstOf = (map: ReadonlyMap<string, unknown>): string => map.keys().next().value!;

const hasFailed = ({ status }: ReadableSpan): boolean => status.code === SpanStatusCode.ERROR;

function isOfOperators({ attributes }: ReadableSpan): boolean {
  const route = attributes[ATTRIBUTES.httpRoute];
  return typeof route === "string" && /^\/api\/v\d+\/ops(\/|$)/.test(route);
}

const tells = ({ attributes }: RecentSpan, q: string): boolean =>
  Object.values(attributes).some(value => typeof value === "string" && value.includes(q));

const msOf = ([seconds, nanoseconds]: HrTime): number => rounded(seconds * 1_000 + nanoseconds / 1e6);
const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000;

function recentOf(span: ReadableSpan): RecentSpan {
  const { name, kind, startTime, duration, status, attributes, parentSpanContext, links } = span;
  return {
    id: span.spanContext().spanId,
    ...(parentSpanContext && { parent: parentSpanContext.spanId }),
    name,
    kind: SpanKind[kind].toLowerCase(),
    startMs: msOf(startTime),
    ms: msOf(duration),
    failed: hasFailed(span),
    ...(status.message !== undefined && { error: status.message }),
    attributes: { ...attributes },
    links: [...new Set(links.map(({ context }) => context.traceId))].slice(0, 20),
  };
}

function summaryOf(id: string, spans: readonly RecentSpan[]): RecentTrace {
  const ids = new Set(spans.map(span => span.id));
  const roots = spans.filter(({ parent }) => parent === undefined || !ids.has(parent));
  const top = roots.find(({ parent }) => parent === undefined) ?? roots[0] ?? spans[0]!;
  const startMs = Math.min(...spans.map(span => span.startMs));
  const error = spans.find(span => span.failed && span.error !== undefined)?.error;
  const requestId = spans.find(({ attributes }) => ATTRIBUTES.requestId in attributes)?.attributes[
    ATTRIBUTES.requestId
  ];
  return {
    id,
    name: top.name,
    startMs,
    ms: rounded(Math.max(...spans.map(span => span.startMs + span.ms)) - startMs),
    failed: spans.some(({ failed }) => failed),
    ...(error !== undefined && { error }),
    ...(typeof requestId === "string" && { requestId }),
    spans: spans.length,
  };
}
