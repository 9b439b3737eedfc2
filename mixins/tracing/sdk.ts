// OpenTelemetry's SDK: the way of a span from its end to the collector.
//
//   1. sampler     whether its trace is kept (sampler.ts).
//   2. tail rule   what is not kept waits, as little more than notes, for the end of its trace here: it may be slow or fail
//                  (tail-rule.ts, held-span.ts).
//   3. queue       bounded. A collector that is slow or away fills it; then spans are dropped and counted. No work waits.
//   4. exporter    sends batches, again after a pause where that may help, and gives them up after a time.
import { hostname } from "node:os";
import {
  context,
  createNoopMeter,
  INVALID_SPAN_CONTEXT,
  propagation,
  trace,
  type Counter,
  type Meter,
  type Span,
  type Tracer,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { decoded } from "../kernel/index.ts";
import { apiSpanOf, contextManager } from "./context.ts";
import { epochMs, SCOPE } from "./held-span.ts";
import { TraceIds } from "./ids.ts";
import { limits } from "./limits.ts";
import { RecentTraces } from "./recent-traces.ts";
import { samplerOf } from "./sampler.ts";
import { linksOf, Spans } from "./spans.ts";
import { TailRule } from "./tail-rule.ts";
import { activate, type Attributes, type TraceCounts, type Tracing } from "./tracing.ts";

/** The values of `tracingEnvironment`, and those that follow from others. */
export interface SdkOptions {
  /** The whole URL; undefined where traces stay in memory. */
  readonly endpoint: string | undefined;
  readonly node: string | undefined;
  readonly namespace: string;
  readonly OTEL_EXPORTER_OTLP_HEADERS: string | undefined;
  readonly OTEL_EXPORTER_OTLP_COMPRESSION: "gzip" | "none";
  readonly OTEL_EXPORTER_OTLP_TIMEOUT: number;
  readonly OTEL_SERVICE_NAME: string | undefined;
  readonly OTEL_RESOURCE_ATTRIBUTES: string | undefined;
  readonly OTEL_TRACES_SAMPLER: string;
  readonly OTEL_TRACES_SAMPLER_ARG: string;
  readonly OTEL_BSP_MAX_QUEUE_SIZE: number;
  readonly OTEL_BSP_MAX_EXPORT_BATCH_SIZE: number;
  readonly OTEL_BSP_SCHEDULE_DELAY: number;
  readonly TRACE_SLOW_MS: number;
}

export function openTracing(options: SdkOptions): Tracing {
  const counts: TraceCounts = { exported: 0, queueFull: 0, exportFailed: 0, notHeld: 0 };
  const { endpoint } = options;
  const queue = endpoint === undefined ? undefined : queueTo({ ...options, endpoint }, counts);
  const recent = new RecentTraces({ ...limits, slowMs: options.TRACE_SLOW_MS });
  const resource = resourceFromAttributes(resourceOf(options));
  const ids = new TraceIds();
  const provider = new TracerProvider({
    resource,
    // It is asked for spans of traces that are kept, and for no others.
    sampler: new AlwaysOnSampler(),
    idGenerator: ids,
    spanProcessors: queue ? [queue, recent] : [recent],
    spanLimits: { linkCountLimit: limits.linksMax, attributeValueLengthLimit: limits.valueChars },
  });
  const rule = new TailRule(
    { ...limits, slowMs: options.TRACE_SLOW_MS },
    held => {
      const epoch = epochMs();
      const spans = held.map(span => span.toReadable(resource, linksOf(span.causes), epoch));
      recent.keep(spans);
      if (queue) for (const span of spans) queue.onEnd(span);
    },
    spans => (counts.notHeld += spans),
  );
  const spans = new Spans({
    tracer: provider.getTracer(SCOPE.name),
    ids,
    // What nobody takes is passed over, so that the tail rule decides alone.
    sampler: samplerOf(queue ? options.OTEL_TRACES_SAMPLER : "always_off", Number(options.OTEL_TRACES_SAMPLER_ARG)),
    rule,
  });
  context.setGlobalContextManager(contextManager);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  // Calls to other companies are made by fetch. One without a parent is not traced.
  const fetches = new UndiciInstrumentation({
    requireParentforSpans: true,
    startSpanHook: withoutQuery,
    responseHook: (span, { response }) => leaveToCaller(span, response.statusCode),
  });
  fetches.setTracerProvider({ getTracer: () => tracerForOthers(spans) });

  const flush = (): Promise<void> => provider.forceFlush({ timeoutMillis: limits.flushMs }).catch(() => {});
  return {
    begin: start => spans.begin(start),
    beginIn: (parent, name, attributes, at) => spans.beginIn(parent, name, attributes, at),
    within: (start, work) => spans.within(start, work),
    inside: (span, work) => spans.inside(span, work),
    insideOf: (call, span, work) => spans.insideOf(call, span, work),
    current: () => spans.current(),
    recent,
    counts,
    flush,
    async stop() {
      activate(undefined);
      fetches.disable();
      await flush();
      context.disable();
      propagation.disable();
    },
  };
}

/** The bounded queue before the collector. */
function queueTo(options: SdkOptions & { endpoint: string }, counts: TraceCounts): BatchSpanProcessor {
  const exporter = new OTLPTraceExporter({
    url: options.endpoint,
    headers: pairsOf(options.OTEL_EXPORTER_OTLP_HEADERS),
    compression: options.OTEL_EXPORTER_OTLP_COMPRESSION as never,
    timeoutMillis: options.OTEL_EXPORTER_OTLP_TIMEOUT,
  });
  return new BatchSpanProcessor({
    exporter,
    maxQueueSize: options.OTEL_BSP_MAX_QUEUE_SIZE,
    maxExportBatchSize: Math.min(options.OTEL_BSP_MAX_EXPORT_BATCH_SIZE, options.OTEL_BSP_MAX_QUEUE_SIZE),
    scheduledDelayMillis: options.OTEL_BSP_SCHEDULE_DELAY,
    exportTimeoutMillis: options.OTEL_EXPORTER_OTLP_TIMEOUT,
    selfObsMeterProvider: { getMeter: () => counting(counts) },
  });
}

/** For an instrumentation that is not ours: its spans are parts of the current one, and kept if that is. */
const tracerForOthers = (spans: Spans): Tracer => ({
  startSpan(name, { attributes = {} } = {}) {
    if (spans.current() === undefined) return trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
    return apiSpanOf(spans.begin({ name, kind: "client", attributes: attributes as Attributes }));
  },
  startActiveSpan: () => {
    throw new Error("the instrumentation of fetch makes no active spans");
  },
});

/** Queries can hold keys. */
const withoutQuery = ({ origin, path }: { origin: string; path: string }): Record<string, string> => ({
  "url.full": origin + path.split("?", 1)[0]!,
  "url.query": "",
});

/**
 * What an answer 4xx means, a refusal such as a declined card or a fault of ours, is known to the caller: its own span says so. The
 * instrumentation takes each for a failure; then every declined card would be a trace to keep. A text it has only for a
 * connection that is lost.
 */
function leaveToCaller(span: Span, status: number): void {
  if (status >= 500) return;
  const fail = span.setStatus.bind(span);
  span.setStatus = given => (given.message === undefined ? span : fail(given));
}

/** Counts what becomes of spans behind the queue, which the SDK tells by a metric of its own. */
function counting(counts: TraceCounts): Meter {
  const add: Counter["add"] = (spans, attributes) => {
    const reason = attributes?.["error.type"];
    if (reason === undefined) counts.exported += spans;
    else if (reason === "queue_full") counts.queueFull += spans;
    else counts.exportFailed += spans;
  };
  const nothing = createNoopMeter();
  return Object.assign(Object.create(nothing) as Meter, {
    createCounter: (name: string) => (name === PROCESSED ? { add } : nothing.createCounter(name)),
  });
}
const PROCESSED = "otel.sdk.processor.span.processed";

function resourceOf({
  OTEL_SERVICE_NAME,
  OTEL_RESOURCE_ATTRIBUTES,
  node,
  namespace,
}: SdkOptions): Record<string, string> {
  return {
    "service.name": "valence",
    "service.instance.id": node ?? `${hostname().toLowerCase()}-${process.pid}`,
    ...(namespace !== "" && { "service.namespace": namespace }),
    ...pairsOf(OTEL_RESOURCE_ATTRIBUTES),
    ...(OTEL_SERVICE_NAME !== undefined && { "service.name": OTEL_SERVICE_NAME }),
  };
}

/** `name=value` with commas between, percent-encoded. */
function pairsOf(text = ""): Record<string, string> {
  const pairs = text.split(",").filter(pair => pair.trim() !== "");
  return Object.fromEntries(
    pairs.map(pair => {
      const at = pair.indexOf("=");
      return [decoded(pair.slice(0, at).trim()), decoded(pair.slice(at + 1).trim())];
    }),
  );
}
