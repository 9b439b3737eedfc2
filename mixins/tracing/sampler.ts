// Which traces are kept from their first span on.
import { SpanKind, trace, type Context } from "@opentelemetry/api";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  type Sampler,
} from "@opentelemetry/sdk-trace";

/** Whether the trace of this id is kept, for a span that begins it here; `context` has the caller's span, if there is one. */
export type Keeps = (traceId: string, context: Context) => boolean;

/** The choice of `OTEL_TRACES_SAMPLER`. What it passes over is held for the tail rule all the same. */
export function samplerOf(name: string, ratio: number): Keeps {
  const root = name.endsWith("ratio")
    ? new TraceIdRatioBasedSampler(ratio)
    : name.endsWith("on")
      ? new AlwaysOnSampler()
      : new AlwaysOffSampler();
  const parentBased = new ParentBasedSampler({ root });
  const isParentBased = name.startsWith("parentbased");
  return (traceId, context) => {
    // Without a caller the root decides: its own question is the shorter one.
    const sampler: Sampler = isParentBased && trace.getSpanContext(context) ? parentBased : root;
    const { decision } = sampler.shouldSample(context, traceId, "", SpanKind.INTERNAL, {}, []);
    return decision === SamplingDecision.RECORD_AND_SAMPLED;
  };
}
