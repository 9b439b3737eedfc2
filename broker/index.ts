// What plugs into the broker. Only moleculer.config.ts (and tests that build a broker) import it.
import { INTERNAL_MIDDLEWARES, type BrokerOptions } from "moleculer";
import type { Environment } from "../mixins/kernel/index.ts";
import { authorization } from "./middlewares/authorization.ts";
import { callChain } from "./middlewares/call-chain.ts";
import { stopOnce } from "./middlewares/stop-once.ts";
import { PlacementStrategy } from "./placement-strategy.ts";
import { Regenerator } from "./regenerator.ts";
import { Validator } from "./validator.ts";

/** The options of every broker of the house. `valence` carries the environment to the mixins. */
export function brokerOptions(environment: Environment): BrokerOptions & { valence: Environment } {
  return {
    valence: environment,
    namespace: environment.namespace,
    ...(environment.nodeId && { nodeID: environment.nodeId }),
    logLevel: environment.logLevel as "info",
    validator: new Validator(),
    errorRegenerator: new Regenerator(),
    // Moleculer's default is to wait for ever.
    requestTimeout: environment.requestTimeoutMs,
    // A stop waits for the calls at hand.
    tracking: { enabled: true, shutdownTimeout: environment.shutdownTimeoutMs },
    // The strategy prefers local endpoints itself; preferLocal would bypass it.
    // Per node, bounded: anyone can make new keys by asking for something else.
    cacher: { type: "MemoryLRU", options: { max: 10_000 } },
    registry: { strategy: PlacementStrategy, preferLocal: false },
    // The registry of metrics is on, for what the mixins count; Moleculer's own count of every call and event, which
    // costs a call more than everything else in it (7 µs), is left out of its middlewares. Last in `middlewares` it is back.
    metrics: { enabled: true, collectProcessMetrics: false },
    internalMiddlewares: false,
    middlewares: [stopOnce, authorization, callChain, ...INTERNAL_MIDDLEWARES.filter(name => name !== "Metrics")],
  };
}
