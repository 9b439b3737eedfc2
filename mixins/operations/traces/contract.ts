// Traces that were slow or failed, of all nodes.
import Type from "typebox";
import { cursor, limit, nextCursor, silent } from "../params.ts";

const traceId = Type.String({ pattern: "^[0-9a-f]{32}$", examples: ["0af7651916cd43dd8448eb211c80319c"] });

const SlowTrace = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    kind: Type.Enum(["slow", "failed"]),
    at: Type.String(),
    ms: Type.Number(),
    error: Type.Optional(Type.String()),
    requestId: Type.Optional(Type.String()),
    spans: Type.Integer(),
    nodes: Type.Array(Type.String()),
  },
  { title: "SlowTrace" },
);

const TraceSpan = Type.Object(
  {
    id: Type.String(),
    parent: Type.Optional(Type.String()),
    name: Type.String(),
    kind: Type.String(),
    node: Type.String(),
    /** Milliseconds from the trace's first span, and that it took. */
    offsetMs: Type.Number(),
    ms: Type.Number(),
    failed: Type.Boolean(),
    error: Type.Optional(Type.String()),
    attributes: Type.Record(Type.String(), Type.Unknown()),
    links: Type.Array(Type.String()),
  },
  { title: "TraceSpan" },
);

/** Nodes that trace nothing, and what would change it; absent where all do. */
const off = Type.Optional(
  Type.Object({ nodes: Type.Array(Type.String()), how: Type.String() }, { title: "TracingOff" }),
);

export const traceContract = {
  actions: {
    /**
     * Traces in which something failed or took `TRACE_SLOW_MS`, the latest first: each node keeps its 200 latest in memory, whether a
     * collector has them or not. `q` finds those of a trace's, request's, actor's or saga's id. Without requests of operators and
     * checks of health. `off` names nodes that trace nothing.
     */
    traces: {
      params: {
        kind: Type.Optional(Type.Enum(["slow", "failed"])),
        q: Type.Optional(Type.String({ minLength: 3, maxLength: 200, pattern: "^[A-Za-z0-9_.:@/-]+$" })),
        limit,
        cursor,
      },
      returns: Type.Object({ traces: Type.Array(SlowTrace), off, silent, nextCursor }),
    },
    /**
     * The spans of a trace that nodes have in memory, in the order of their starts; the clocks are those of their nodes. `link`: the
     * whole trace in the tracing backend (`TRACES_URL`).
     */
    traceSpans: {
      params: { id: traceId },
      returns: Type.Object({
        id: Type.String(),
        at: Type.Optional(Type.String()),
        link: Type.Optional(Type.String()),
        spans: Type.Array(TraceSpan),
        off,
        silent,
      }),
    },
  },
  mayRefuse: { traces: [], traceSpans: [] },
  permissions: { traces: "operations:read", traceSpans: "operations:read" },
} as const;
