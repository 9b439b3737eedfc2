// The spans of calls: one where an action is done, which `observe-calls.ts` ends, and for a call of another node one more at the
// caller. What is between the two is the bus. A plain event has one where it is emitted and one for each listener. Not in the
// list of a process that traces nothing.
//
// Actions of the runtime that only operators and other nodes of the cluster call (`permission: "operations:…"`) begin no trace:
// consumers read logs all the time. Within a trace they are spans like others.
import type { ActionSchema, Context, Middleware, ServiceBroker } from "moleculer";
import { metersOf, reading } from "../../metrics/index.ts";
import {
  ATTRIBUTES,
  carriedCause,
  SPANS,
  traceContextOf,
  type Parent,
  type Span,
  tracingMetrics,
  type TraceCounts,
  type Tracing,
} from "../../tracing/index.ts";

type Ctx = Omit<Context, "headers"> & { headers?: Record<string, string> };
type Next = (ctx: Ctx) => Promise<unknown>;
type Action = ActionSchema & {
  readonly name: string;
  readonly permission?: unknown;
  /** Whether calls are traced. Default true. */
  readonly traced?: boolean;
};

/** Begins the span of a call that this node answers; undefined for one that is none. `at`: as `performance.now()` has it. */
export type BeginCall = (ctx: Context, at: number) => Span | undefined;

/** Undefined for an action whose calls are no spans. */
export function callTracing(tracing: Tracing, broker: ServiceBroker, action: Action): BeginCall | undefined {
  if (!isTraced(action)) return undefined;
  const { name } = action;
  const begins = !isOfOperations(action);
  const attributes = attributesOf(name);
  return (ctx, at) => {
    const isRemote = ctx.nodeID !== broker.nodeID;
    const parent: Parent | undefined = isRemote ? carriedCause((ctx as Ctx).headers) : tracing.current();
    if (parent === undefined && !begins) return undefined;
    return tracing.begin({ name, kind: isRemote ? "server" : "internal", parent: parent ?? null, attributes, at });
  };
}

export function tracingMiddleware(tracing: Tracing): Middleware {
  const emit = tracedEmit(tracing);
  return {
    name: "Tracing",
    created: (broker: ServiceBroker) => measure(broker, tracing.counts),
    remoteAction(next: Next, action: Action): Next {
      if (!isTraced(action)) return next;
      const attributes = attributesOf(action.name);
      return ctx => {
        if (tracing.current() === undefined) return next(ctx);
        const start = {
          name: action.name,
          kind: "client",
          attributes: { ...attributes, [ATTRIBUTES.node]: ctx.nodeID! },
        };
        return tracing.within(start as typeof start & { kind: "client" }, span => {
          // A new object: the caller's is the same for each repetition of the call.
          ctx.headers = { ...ctx.headers, ...traceContextOf(span) };
          return next(ctx);
        });
      };
    },
    emit,
    broadcast: emit,
    broadcastLocal: emit,
    localEvent(next: Next, { service }: { service: { fullName: string } }): Next {
      const attributes = {
        [ATTRIBUTES.operationName]: SPANS.process,
        [ATTRIBUTES.operationType]: "process",
        [ATTRIBUTES.consumerGroup]: service.fullName,
      };
      return ctx => {
        const parent = carriedCause(ctx.headers);
        if (parent === undefined) return next(ctx);
        const name = ctx.eventName!;
        const own = { ...attributes, ...eventAttributes(name) };
        return tracing.within({ name: `${SPANS.process} ${name}`, kind: "consumer", parent, attributes: own }, () =>
          next(ctx),
        );
      };
    },
    stopped: () => tracing.flush(),
  } as unknown as Middleware;
}

interface EventOptions {
  readonly groups?: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
}
type Emit = (name: string, payload: unknown, opts?: string | string[] | EventOptions | null) => Promise<unknown>;

/** A plain event of Moleculer goes out as a part of the current span, and takes it along. */
const tracedEmit =
  (tracing: Tracing) =>
  (next: Emit): Emit =>
  (name, payload, opts) => {
    const given: EventOptions = typeof opts === "string" || Array.isArray(opts) ? { groups: opts } : { ...opts };
    // A broadcast ends as a local one, with the same headers.
    const isSent = given.headers?.["traceparent"] !== undefined;
    if (isSent || name.startsWith("$") || tracing.current() === undefined) return next(name, payload, opts);
    const attributes = {
      [ATTRIBUTES.operationName]: SPANS.publish,
      [ATTRIBUTES.operationType]: "send",
      ...eventAttributes(name),
    };
    return tracing.within({ name: `${SPANS.publish} ${name}`, kind: "producer", attributes }, span =>
      next(name, payload, { ...given, headers: { ...given.headers, ...traceContextOf(span) } }),
    );
  };

const eventAttributes = (name: string) => ({
  [ATTRIBUTES.messagingSystem]: "moleculer",
  [ATTRIBUTES.destination]: name,
});

const isTraced = ({ name, traced = true }: Action): boolean => traced && !name.startsWith("$");

const isOfOperations = ({ permission }: Action): boolean =>
  typeof permission === "string" && permission.startsWith("operations:");

const attributesOf = (action: string) => ({ [ATTRIBUTES.rpcSystem]: "moleculer", [ATTRIBUTES.rpcMethod]: action });

function measure(broker: ServiceBroker, counts: TraceCounts): void {
  const outcomes = ["exported", "queueFull", "exportFailed", "notHeld"] as const;
  metersOf(broker)?.read("traces", () =>
    outcomes.map(outcome => reading(tracingMetrics.spans, counts[outcome], { outcome: NAMES[outcome] })),
  );
}
const NAMES = { exported: "exported", queueFull: "queue_full", exportFailed: "export_failed", notHeld: "not_held" };
