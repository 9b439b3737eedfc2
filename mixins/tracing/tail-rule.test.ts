import { beforeEach, describe, expect, test } from "@jest/globals";
import { ROOT_CONTEXT, SpanStatusCode, trace, type Span } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { samplerOf } from "./sampler.ts";
import { TailRule } from "./tail-rule.ts";

const SLOW_MS = 100;
let exporter: InMemorySpanExporter;
let dropped: number;
let begin: (name: string, parent?: Span) => Span;
beforeEach(() => {
  exporter = new InMemorySpanExporter();
  dropped = 0;
  const limits = { slowMs: SLOW_MS, heldTracesMax: 3, heldSpansMax: 5 };
  const rule = new TailRule(new SimpleSpanProcessor({ exporter }), limits, spans => (dropped += spans));
  const provider = new TracerProvider({
    sampler: samplerOf("parentbased_traceidratio", 0),
    spanProcessors: [rule],
  });
  const tracer = provider.getTracer("test");
  begin = (name, parent) =>
    tracer.startSpan(name, { startTime: 0 }, parent ? trace.setSpan(ROOT_CONTEXT, parent) : ROOT_CONTEXT);
});
const end = (span: Span, ms = 1): void => span.end(ms);
const kept = (): string[] => exporter.getFinishedSpans().map(({ name }) => name);

describe("of the traces that sampling passes over", () => {
  test("one that is quick and well is not kept", () => {
    const root = begin("root");
    end(begin("child", root));
    end(root);
    expect(kept()).toEqual([]);
    expect(dropped).toBe(0);
  });

  test("one that is slow is kept whole, once it has ended", () => {
    const root = begin("root");
    end(begin("child", root));
    expect(kept()).toEqual([]);
    end(root, SLOW_MS);
    expect(kept()).toEqual(["child", "root"]);
  });

  test("one in which something failed is kept whole", () => {
    const root = begin("root");
    const child = begin("child", root);
    child.setStatus({ code: SpanStatusCode.ERROR });
    end(child);
    end(begin("later", root));
    end(root);
    expect(kept()).toEqual(["child", "later", "root"]);
    // Processors and collectors take only spans whose flag says so.
    expect(exporter.getFinishedSpans().every(span => span.spanContext().traceFlags === 1)).toBe(true);
  });

  test("the one that began first gives way when there are too many", () => {
    const roots = ["1", "2", "3", "4"].map(name => begin(name));
    for (const root of roots) end(root, SLOW_MS);
    expect(kept()).toEqual(["2", "3", "4"]);
    expect(dropped).toBe(1);
  });

  test("the one that began first gives way when they have too many spans", () => {
    const [first, second] = [begin("first"), begin("second")];
    for (let n = 0; n < 5; n++) end(begin("child", first));
    end(begin("child of second", second));
    expect(dropped).toBe(5);
    end(first, SLOW_MS);
    end(second, SLOW_MS);
    expect(kept()).toEqual(["child of second", "second"]);
  });
});
