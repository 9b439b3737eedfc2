// The slow and failed traces of all nodes: each has its own part of a trace, and the parts are put together here.
import type { Context } from "../../contract/index.ts";
import type { NodeTraces, RecentSpan, RecentTrace } from "../../tracing/index.ts";
import { askNodes, type NodeAnswer } from "../ask-nodes.ts";
import { descending, limits, shown } from "../asking.ts";
import { operationsEnvironment } from "../environment.ts";
import { pageIn } from "../pages.ts";

const HOW =
  "Nothing is traced there: set OTEL_EXPORTER_OTLP_ENDPOINT to a collector, or TRACE_MEMORY=on to keep the latest slow and " +
  "failed traces in memory alone; TRACE_SLOW_MS says what is slow.";

type Listed = Context<{ kind?: "slow" | "failed"; q?: string; limit?: number; cursor?: string }>;

export const traceOperations = {
  async traces(ctx: Listed) {
    const { kind, q, limit = limits.page, cursor } = ctx.params;
    const { answers, silent } = await askNodes<NodeTraces>(ctx, "$traces.list", {
      params: q === undefined ? {} : { q },
      timeoutMs: limits.nodeMs,
    });
    const parts = answers.flatMap(({ node, answer }) => answer.traces.map(trace => ({ ...trace, node })));
    const traces = [...Map.groupBy(parts, ({ id }) => id).values()]
      .map(together)
      .filter(trace => kind === undefined || trace.kind === kind);
    const { entries, ...next } = pageIn(traces, {
      list: ["traces", kind, q].filter(Boolean).join(" "),
      limit,
      cursor,
      key: [({ at }) => descending(Date.parse(at)), ({ id }) => id],
    });
    return { ...shown(ctx, { traces: entries }), ...offIn(answers), silent: [...silent], ...next };
  },

  async traceSpans(ctx: Context<{ id: string }>) {
    const { id } = ctx.params;
    const { answers, silent } = await askNodes<{ isTraced: boolean; spans: RecentSpan[] }>(ctx, "$traces.spans", {
      params: { id },
      timeoutMs: limits.nodeMs,
    });
    const all = answers.flatMap(({ node, answer }) => answer.spans.map(span => ({ ...span, node })));
    const beganMs = Math.min(...all.map(({ startMs }) => startMs));
    const spans = all
      .sort((a, b) => a.startMs - b.startMs)
      .map(({ startMs, ...span }) => ({ ...span, offsetMs: Math.round((startMs - beganMs) * 1_000) / 1_000 }));
    const at = spans.length === 0 ? {} : { at: new Date(beganMs).toISOString() };
    const { TRACES_URL } = operationsEnvironment.of(ctx.broker);
    const link = TRACES_URL === undefined ? {} : { link: TRACES_URL + id };
    return { id, ...at, ...link, ...shown(ctx, { spans }), ...offIn(answers), silent: [...silent] };
  },
};

/** One trace from the parts of its nodes: its name is that of the part that began first. */
function together(parts: (RecentTrace & { node: string })[]) {
  parts.sort((a, b) => a.startMs - b.startMs);
  const { id, name, startMs } = parts[0]!;
  const endMs = Math.max(...parts.map(part => part.startMs + part.ms));
  const error = parts.find(part => part.error !== undefined)?.error;
  const requestId = parts.find(part => part.requestId !== undefined)?.requestId;
  return {
    id,
    name,
    kind: parts.some(({ failed }) => failed) ? ("failed" as const) : ("slow" as const),
    at: new Date(startMs).toISOString(),
    ms: Math.round((endMs - startMs) * 1_000) / 1_000,
    ...(error !== undefined && { error }),
    ...(requestId !== undefined && { requestId }),
    spans: parts.reduce((sum, part) => sum + part.spans, 0),
    nodes: parts.map(({ node }) => node).sort(),
  };
}

function offIn(answers: readonly NodeAnswer<{ isTraced: boolean }>[]): { off?: { nodes: string[]; how: string } } {
  const nodes = answers.filter(({ answer }) => !answer.isTraced).map(({ node }) => node);
  return nodes.length === 0 ? {} : { off: { nodes: nodes.sort(), how: HOW } };
}
