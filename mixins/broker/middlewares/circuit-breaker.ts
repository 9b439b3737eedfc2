// Moleculer's circuit breaker, for calls to other nodes, with two of its defects mended (moleculer 0.15.2,
// src/middlewares/circuit-breaker.js): it stands outside of the time-out here (see the order in broker/index.ts), so that
// a node that hangs is counted; and it forgets a node that went, since it kept the old endpoint objects and so opened
// nothing after the node had come back under its name. This node's own actions have none: what they lack is not elsewhere.
import * as moleculer from "moleculer";
import type { ServiceBroker } from "moleculer";

export const BREAKER = {
  enabled: true,
  threshold: 0.5,
  /** Seconds in which calls are counted together. */
  windowTime: 30,
  minRequestCount: 20,
  /** Milliseconds until a call is let through to see. */
  halfOpenTime: 2_000,
  check: isFailureOfNode,
};

/**
 * Unavailable because of one actor: the node's others are well. Or because of what no other node has: the one Redis, a
 * read model that has caught up.
 */
const NOT_OF_NODE = new Set([
  "MAILBOX_FULL",
  "CONTENTION",
  "STREAM_QUARANTINED",
  "UNREADABLE_HERE",
  "PREPARE_FAILED",
  "DEADLINE_PASSED",
  "REDIS_UNAVAILABLE",
  "NOT_CAUGHT_UP",
]);

function isFailureOfNode(error: Error): boolean {
  const { code, type } = error as { code?: unknown; type?: string };
  return typeof code === "number" && code >= 500 && !NOT_OF_NODE.has(type ?? "");
}

type Store = Map<string, { ep: { id: string }; cbTimer: NodeJS.Timeout | null }>;

interface Builtin {
  readonly localAction: unknown;
  readonly created: (broker: ServiceBroker) => void;
  readonly stopped: () => void;
}
/** Not in Moleculer's types. */
const { Middlewares } = moleculer as unknown as { Middlewares: { CircuitBreaker(broker: ServiceBroker): Builtin } };

export const circuitBreaker = (broker: ServiceBroker) => {
  const { localAction: _own, created, stopped, ...builtin } = Middlewares.CircuitBreaker(broker);
  const forget = ({ node }: { node: { id: string } }): void => {
    const store = (broker as { CircuitBreakerStore?: Store }).CircuitBreakerStore;
    for (const [name, { ep, cbTimer }] of store ?? [])
      if (ep.id === node.id) {
        clearTimeout(cbTimer ?? undefined);
        store!.delete(name);
      }
  };
  return {
    ...builtin,
    created(of: ServiceBroker) {
      created(of);
      of.localBus.on("$node.disconnected", forget);
    },
    stopped() {
      broker.localBus.off("$node.disconnected", forget);
      stopped();
    },
  };
};
