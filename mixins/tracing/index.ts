// Traces: one path through all that happens because of a request, over nodes and over time. The only floor that loads
// OpenTelemetry, and only where a collector is named.
export { tracingEnvironment } from "./environment.ts";
export { tracingMetrics } from "./metrics.ts";
export { ATTRIBUTES, SPANS } from "./names.ts";
export { startTracing } from "./start.ts";
export type { NodeTraces, RecentSpan, RecentTrace } from "./recent-traces.ts";
export {
  carriedCause,
  traceContextOf,
  tracing,
  type Attributes,
  type Cause,
  type Parent,
  type Span,
  type SpanStart,
  type TraceContext,
  type TraceCounts,
  type Tracing,
} from "./tracing.ts";
