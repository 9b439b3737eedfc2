import { expect, test } from "@jest/globals";
import { ROOT_CONTEXT, SpanKind, trace, type SpanContext } from "@opentelemetry/api";
import { SamplingDecision, type Sampler } from "@opentelemetry/sdk-trace";
import { samplerOf } from "./sampler.ts";

const place = (isSampled: boolean): SpanContext => ({
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  traceFlags: isSampled ? 1 : 0,
});
const { RECORD, RECORD_AND_SAMPLED } = SamplingDecision;

function decision(sampler: Sampler, { parent, causes = [] }: { parent?: SpanContext; causes?: SpanContext[] } = {}) {
  const context = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
  const links = causes.map(context => ({ context }));
  return sampler.shouldSample(context, "f".repeat(32), "x", SpanKind.INTERNAL, {}, links).decision;
}

test("a trace begins kept or not as the sampler says; what is not kept is recorded for the tail rule", () => {
  expect(decision(samplerOf("always_on", 1))).toBe(RECORD_AND_SAMPLED);
  expect(decision(samplerOf("always_off", 1))).toBe(RECORD);
  expect(decision(samplerOf("parentbased_always_on", 1))).toBe(RECORD_AND_SAMPLED);
  expect(decision(samplerOf("parentbased_traceidratio", 0))).toBe(RECORD);
  expect(decision(samplerOf("traceidratio", 1))).toBe(RECORD_AND_SAMPLED);
});

test("a caller's choice counts where the sampler says so", () => {
  expect(decision(samplerOf("parentbased_always_off", 1), { parent: place(true) })).toBe(RECORD_AND_SAMPLED);
  expect(decision(samplerOf("parentbased_always_on", 1), { parent: place(false) })).toBe(RECORD);
  expect(decision(samplerOf("traceidratio", 0), { parent: place(true) })).toBe(RECORD);
});

test("a span that begins a trace for others is kept if one of theirs is", () => {
  const sampler = samplerOf("parentbased_traceidratio", 1);
  expect(decision(sampler, { causes: [place(false), place(true)] })).toBe(RECORD_AND_SAMPLED);
  expect(decision(sampler, { causes: [place(false)] })).toBe(RECORD);
  // As a part of a trace it is kept with it.
  expect(decision(sampler, { parent: place(false), causes: [place(true)] })).toBe(RECORD);
});
