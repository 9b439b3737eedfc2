import { beforeEach, describe, expect, test } from "@jest/globals";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { Bug, Refusal } from "../kernel/index.ts";
import { TraceIds } from "./ids.ts";
import { linksOf, Spans } from "./spans.ts";
import { TailRule } from "./tail-rule.ts";
import type { Span, SpanStart } from "./tracing.ts";

const NEVER_MS = 1_000_000;
const LIMITS = { heldTracesMax: 3, heldSpansMax: 5 };
const RESOURCE = resourceFromAttributes({ "service.name": "library" });
let exporter: InMemorySpanExporter;
let dropped: number;
/** Of traces that no sampler keeps. */
let spans: Spans;
let begin: (name: string, parent?: Span | string, more?: Omit<SpanStart, "name">) => Span;
function open({ slowMs = NEVER_MS, isSampled = false } = {}): void {
  exporter = new InMemorySpanExporter();
  dropped = 0;
  const processor = new SimpleSpanProcessor({ exporter });
  const rule = new TailRule(
    { slowMs, ...LIMITS },
    held => {
      for (const span of held) processor.onEnd(span.toReadable(RESOURCE, linksOf(span.causes)));
    },
    spans => (dropped += spans),
  );
  const ids = new TraceIds();
  const provider = new TracerProvider({ spanProcessors: [processor], idGenerator: ids });
  spans = new Spans({
    tracer: provider.getTracer("test"),
    ids,
    sampler: { keepsNew: () => isSampled, keeps: () => isSampled },
    rule,
  });
  begin = (name, parent, more) => spans.begin({ name, ...more, ...(!more?.causes && { parent: parent ?? null }) });
}
beforeEach(() => open());
const kept = (): string[] => exporter.getFinishedSpans().map(({ name }) => name);
const failure = new Bug("STORE_UNREADABLE", "no answer of postgres://ada:s3cr3t@db/loans");

describe("of the traces that sampling passes over", () => {
  test("one that is quick and well is not kept", () => {
    const root = begin("root");
    begin("child", root).end();
    root.end(new Refusal("LOAN_CLOSED", { message: "it is closed" }));
    expect(kept()).toEqual([]);
    expect(dropped).toBe(0);
  });

  test("one that is slow is kept whole, once it has ended", () => {
    open({ slowMs: 0 });
    const root = begin("root");
    begin("child", root).end();
    expect(kept()).toEqual([]);
    root.end();
    expect(kept()).toEqual(["child", "root"]);
  });

  test("one in which something failed is kept whole", () => {
    const root = begin("root");
    begin("child", root).end(failure);
    begin("later", root).end();
    root.end();
    expect(kept()).toEqual(["child", "later", "root"]);
    // Processors and collectors take only spans whose flag says so.
    expect(exporter.getFinishedSpans().every(span => span.spanContext().traceFlags === 1)).toBe(true);
  });

  test("a span that is kept tells all that it was told", () => {
    const [client, other] = ["1", "2"].map(n => `00-0af7651916cd43dd8448eb211c80319c-${n.repeat(16)}-00`);
    const root = begin("GET", client, { kind: "server", attributes: { "url.path": "/loans" } });
    const batch = begin("batch", undefined, { causes: [root.traceparent, other!, "<script>"] });
    root.rename("GET /loans");
    root.set({ "http.route": "/loans", "url.path": "x".repeat(5_000), "valence.version": undefined });
    root.event("identify");
    batch.end(failure);
    root.end();
    root.end(failure);
    const [second, first] = exporter.getFinishedSpans();
    const { traceId, spanId } = first!.spanContext();
    expect(root.traceparent).toBe(`00-${traceId}-${spanId}-00`);
    expect(traceId).toBe("0af7651916cd43dd8448eb211c80319c");
    expect(first).toMatchObject({
      name: "GET /loans",
      kind: 1,
      parentSpanContext: { spanId: "1".repeat(16) },
      attributes: { "http.route": "/loans", "url.path": "x".repeat(2_000) },
      events: [{ name: "identify" }],
      status: { code: 0 },
      resource: RESOURCE,
    });
    expect(Object.keys(first!.attributes)).toHaveLength(2);
    expect(second!.parentSpanContext?.spanId).toBe(spanId);
    expect(second!.links.map(({ context }) => context.spanId)).toEqual([spanId, "2".repeat(16)]);
    expect(second).toMatchObject({
      attributes: { "error.type": "STORE_UNREADABLE" },
      events: [{ name: "exception" }],
      status: { code: 2 },
    });
    expect(JSON.stringify([second!.status, second!.events])).not.toContain("s3cr3t");
    const [at] = first!.startTime;
    expect(Math.abs(at - Date.now() / 1_000)).toBeLessThan(60);
  });

  test("work that goes on when its trace is over is kept as the trace is, and no span twice", () => {
    const [well, ill] = [begin("well"), begin("ill")];
    well.end();
    begin("later", well).end();
    ill.end(failure);
    begin("still at it", ill).end();
    expect(kept()).toEqual(["ill", "still at it"]);
  });

  test("the one that began first gives way when there are too many", () => {
    const roots = ["1", "2", "3", "4"].map(name => begin(name));
    for (const root of roots) root.end(failure);
    expect(kept()).toEqual(["2", "3", "4"]);
    expect(dropped).toBe(1);
  });

  test("the one that began first gives way when they have too many spans", () => {
    const [first, second] = [begin("first"), begin("second")];
    for (let n = 0; n < 5; n++) begin("child", first).end();
    begin("child of second", second).end();
    expect(dropped).toBe(5);
    first.end(failure);
    second.end(failure);
    expect(kept()).toEqual(["child of second", "second"]);
  });
});

describe("a span that begins a trace for others", () => {
  const cause = (trace: string, flags: string): string => `00-${trace.repeat(32)}-${"b".repeat(16)}-${flags}`;
  const isKept = (span: Span): boolean => span.traceparent.endsWith("-01");

  test("is kept if one of theirs is", () => {
    open({ isSampled: true });
    expect(isKept(begin("batch", undefined, { causes: [cause("1", "00"), cause("2", "01")] }))).toBe(true);
    expect(isKept(begin("batch", undefined, { causes: [cause("1", "00"), cause("2", "00")] }))).toBe(false);
  });

  test("is a part of theirs where that is one, and kept with it", () => {
    const batch = begin("batch", undefined, { causes: [cause("1", "00"), cause("1", "00")] });
    expect(batch.traceparent).toMatch(/^00-1{32}-/);
    expect(isKept(batch)).toBe(false);
  });

  test("links to spans as it does to their texts, whichever of them are kept", () => {
    const causes = [begin("one"), begin("two")];
    begin("batch", undefined, { causes: [...causes, causes[0]!, cause("3", "00")] }).end(failure);
    begin("kept batch", undefined, { causes: [causes[0]!, cause("4", "01")] }).end();
    const linked = exporter.getFinishedSpans().map(({ links }) => links.map(({ context }) => context.traceId));
    const [one, two] = causes.map(({ traceparent }) => traceparent.split("-")[1]);
    expect(linked).toEqual([[one, two, "3".repeat(32)], ["4".repeat(32)]]);
    // The other way round: hardly any of the spans for which a kept one works is kept as well.
    for (const span of causes) span.end(failure);
    const [, keptBatch, ...others] = exporter.getFinishedSpans();
    expect(others.map(({ links }) => links.map(({ context }) => context.spanId))).toEqual([
      [keptBatch!.spanContext().spanId],
      [],
    ]);
  });

  test("is a part of a held span's trace where all of them are of that one", () => {
    const root = begin("root");
    const [one, two] = [begin("one", root), begin("two", root)];
    begin("batch", undefined, { causes: [one, two, one.traceparent] }).end();
    for (const span of [one, two]) span.end();
    root.end(failure);
    const [batch] = exporter.getFinishedSpans();
    expect(batch!.parentSpanContext?.spanId).toBe(one.traceparent.split("-")[2]);
    expect(kept()).toEqual(["batch", "one", "two", "root"]);
  });
});

test("a trace is kept under the id by which that was decided, with all of its spans", () => {
  open({ isSampled: true });
  const root = begin("root");
  const child = begin("child", root);
  for (const span of [child, root]) span.end();
  const [, trace] = root.traceparent.split("-");
  expect(child.traceparent).toContain(trace);
  expect(kept()).toEqual(["child", "root"]);
});
