// Which traces are kept from their first span on.
import { trace, TraceFlags } from "@opentelemetry/api";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  createAlwaysRecordSampler,
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  type Sampler,
} from "@opentelemetry/sdk-trace";

/**
 * The sampler of `OTEL_TRACES_SAMPLER`. A span that begins a trace for others (`causes`) is kept if one of theirs is: by
 * chance, hardly any batch of events would be kept with the requests that caused them. What is not kept is recorded all the
 * same, for the tail rule.
 */
export function samplerOf(name: string, ratio: number): Sampler {
  const root = name.endsWith("ratio")
    ? new TraceIdRatioBasedSampler(ratio)
    : name.endsWith("on")
      ? new AlwaysOnSampler()
      : new AlwaysOffSampler();
  if (name === "always_on") return root;
  return createAlwaysRecordSampler(byCauses(name.startsWith("parentbased") ? new ParentBasedSampler({ root }) : root));
}

const byCauses = (otherwise: Sampler): Sampler => ({
  shouldSample(context, traceId, name, kind, attributes, links) {
    if (links.length === 0 || trace.getSpanContext(context))
      return otherwise.shouldSample(context, traceId, name, kind, attributes, links);
    const isKept = links.some(link => link.context.traceFlags & TraceFlags.SAMPLED);
    return { decision: isKept ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD };
  },
  toString: () => `ByCauses{${otherwise.toString()}}`,
});
