import { expect, test } from "@jest/globals";
import { ROOT_CONTEXT, trace, type SpanContext } from "@opentelemetry/api";
import { newTraceId } from "./ids.ts";
import { samplerOf } from "./sampler.ts";

const place = (isSampled: boolean): SpanContext => ({
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  traceFlags: isSampled ? 1 : 0,
});

function keeps(name: string, ratio: number, parent?: SpanContext): boolean {
  const sampler = samplerOf(name, ratio);
  if (!parent) return sampler.keepsNew(newTraceId());
  return sampler.keeps("f".repeat(32), trace.setSpanContext(ROOT_CONTEXT, parent));
}

test("a trace begins kept or not as the sampler says", () => {
  expect(keeps("always_on", 1)).toBe(true);
  expect(keeps("always_off", 1)).toBe(false);
  expect(keeps("parentbased_always_on", 1)).toBe(true);
  expect(keeps("parentbased_traceidratio", 0)).toBe(false);
  expect(keeps("traceidratio", 1)).toBe(true);
});

test("a caller's choice counts where the sampler says so", () => {
  expect(keeps("parentbased_always_off", 1, place(true))).toBe(true);
  expect(keeps("parentbased_always_on", 1, place(false))).toBe(false);
  expect(keeps("traceidratio", 0, place(true))).toBe(false);
  expect(keeps("always_on", 1, place(false))).toBe(true);
});

test("a share of the traces is kept, and of a new trace every node decides the same", () => {
  const sampler = samplerOf("traceidratio", 0.25);
  const ids = Array.from({ length: 2_000 }, newTraceId);
  const kept = ids.filter(id => sampler.keepsNew(id));
  expect(kept.length).toBeGreaterThan(300);
  expect(kept.length).toBeLessThan(700);
  expect(ids.filter(({ id }) => sampler.keeps(id, ROOT_CONTEXT))).toEqual(kept);
});
