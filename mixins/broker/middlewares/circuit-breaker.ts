// Moleculer's circuit breaker for calls to other nodes, with two defects mended (moleculer 0.15.2,
// src/middlewares/circuit-breaker.js):
//
//   1. it is outside of the time-out (see the order in broker/index.ts), so that a node that hangs is counted
//   2. it forgets a node that leaves: Moleculer's kept the old endpoint objects, and opened nothing when the node came back
//
// This node's own actions have no breaker: no other node could answer what they cannot.
import * as moleculer from "moleculer";
import type { ServiceBroker } from "moleculer";

export const BREAKER = {
  enabled: true,
  threshold: 0.5,
  /** Seconds over which calls are counted together. */
  windowTime: 30,
  minRequestCount: 20,
  /** Milliseconds until an open breaker lets one call through. */
  halfOpenTime: 2_000,
  check: isFailureOfNode,
};

/**
 * Errors that do not count against a node: one actor fails while the node's others are well, or the call needs
 * something that no other node has either (the one Redis, a read model that has caught up).
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
/** Moleculer's types do not declare it. */
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
