// The latest slow and failed traces of this process, for operators who look: the internal service `$traces` of every node, which
// `ops.traces` asks.
import type { ActionSchema, Context, Middleware, ServiceBroker } from "moleculer";
import { tracing, type NodeTraces, type RecentSpan } from "../tracing/index.ts";

export const nodeTraces: Middleware = {
  name: "NodeTraces",
  async starting(broker: ServiceBroker) {
    const asked = { visibility: "public", permission: "operations:read", callers: ["ops"] } as const;
    broker.createService({
      name: "$traces",
      actions: {
        list: { ...asked, handler: ({ params: { q } }: Context<{ q?: string }>) => listed(q) } as ActionSchema,
        spans: { ...asked, handler: ({ params: { id } }: Context<{ id: string }>) => spansOf(id) } as ActionSchema,
      },
    });
  },
};

function listed(q: string | undefined): NodeTraces {
  const active = tracing();
  return { isTraced: active !== undefined, traces: active?.recent.list(q) ?? [] };
}

function spansOf(id: string): { isTraced: boolean; spans: readonly RecentSpan[] } {
  const active = tracing();
  return { isTraced: active !== undefined, spans: active?.recent.spansOf(id) ?? [] };
}
