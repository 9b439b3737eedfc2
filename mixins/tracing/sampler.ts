// Which traces are kept from their first span on.
import { SpanKind, type Context } from "@opentelemetry/api";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";
import type { NewTraceId } from "./ids.ts";

/** Traces that it passes over are held for the tail rule all the same. */
export interface Sampler {
  /** Whether a trace is kept that begins here. */
  keepsNew(trace: NewTraceId): boolean;
  /** Whether the trace of this id is kept, for a span that goes on with it here; `context` has the caller's span. */
  keeps(traceId: string, context: Context): boolean;
}

/** The choice of `OTEL_TRACES_SAMPLER`. */
export function samplerOf(name: string, ratio: number): Sampler {
  const isRatio = name.endsWith("ratio");
  const root = isRatio
    ? new TraceIdRatioBasedSampler(ratio)
    : name.endsWith("on")
      ? new AlwaysOnSampler()
      : new AlwaysOffSampler();
  const sampler = name.startsWith("parentbased") ? new ParentBasedSampler({ root }) : root;
  const keeps: Sampler["keeps"] = (traceId, context) => {
    const { decision } = sampler.shouldSample(context, traceId, "", SpanKind.INTERNAL, {}, []);
    return decision === SamplingDecision.RECORD_AND_SAMPLED;
  };
  // The SDK's own rule, which reads the digits of the id one by one: half of what a span costs that is passed over.
  const bound = ratio === 1 ? 2 ** 32 : Math.floor(ratio * (2 ** 32 - 1));
  return { keepsNew: isRatio ? ({ draw }) => draw < bound : () => name.endsWith("on"), keeps };
}
