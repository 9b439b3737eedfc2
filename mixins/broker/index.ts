// What plugs into the broker. Only moleculer.config.ts (and tests that build a broker) import it.
import type { BrokerOptions, Middleware } from "moleculer";
import { nodeEnvironment, type Environment } from "../kernel/index.ts";
import { redisEnvironment } from "../redis/index.ts";
import { MemoryCacher } from "./cachers/memory-cacher.ts";
import { RedisCacher } from "./cachers/redis-cacher.ts";
import { health } from "./health.ts";
import { liveness } from "./liveness.ts";
import { announcements } from "./middlewares/announcements.ts";
import { authorization } from "./middlewares/authorization.ts";
import { bulkhead } from "./middlewares/bulkhead.ts";
import { callChain } from "./middlewares/call-chain.ts";
import { BREAKER, circuitBreaker } from "./middlewares/circuit-breaker.ts";
import { retries } from "./middlewares/retries.ts";
import { stopping } from "./middlewares/stopping.ts";
import { PlacementStrategy } from "./placement-strategy.ts";
import { Regenerator } from "./regenerator.ts";
import { NatsTransporter } from "./transporters/nats.ts";
import { TcpTransporter } from "./transporters/tcp.ts";
import { worker } from "./worker.ts";
import { Validator } from "./validator.ts";

type Transporter = NonNullable<BrokerOptions["transporter"]>;

/** Milliseconds that a node which leaves serves on after it has said so. */
const ANNOUNCE_MS = 200;

/**
 * From the innermost to the outermost. Moleculer's own but for three: its Metrics count every call and event, which costs
 * a call more than everything else in it (7 µs; last in `middlewares` it is back); its CircuitBreaker stood inside of the
 * time-out and never saw one; its Bulkhead executed what nobody waited for any more. Its Retry stays off.
 */
const MIDDLEWARES = [
  health,
  stopping,
  announcements,
  callChain,
  "ActionHook",
  "Validator",
  bulkhead,
  "Cacher",
  // Outside of the cacher, which answers everybody once an entry is there.
  authorization,
  "ContextTracker",
  "Timeout",
  circuitBreaker,
  "Retry",
  "Fallback",
  "ErrorHandler",
  "Tracing",
  "Debounce",
  "Throttle",
  retries,
  liveness,
  worker,
] as unknown as Middleware[];

/** NATS where there is one, else TCP between the workers of one machine, else none. */
function transporterOf(environment: Environment): NatsTransporter | TcpTransporter | undefined {
  const { NATS_URL, WORKER } = nodeEnvironment.of(environment);
  if (NATS_URL !== undefined) return new NatsTransporter(NATS_URL);
  return WORKER === undefined ? undefined : new TcpTransporter();
}

/** The options of every broker of the house. `valence` carries the environment to the mixins. */
export function brokerOptions(environment: Environment): BrokerOptions & { valence: Environment } {
  const node = nodeEnvironment.of(environment);
  const transporter = transporterOf(environment);
  return {
    valence: environment,
    namespace: node.NAMESPACE,
    ...(node.NODEID !== undefined && { nodeID: node.NODEID }),
    logLevel: node.LOGLEVEL,
    validator: new Validator(),
    errorRegenerator: new Regenerator(),
    // Moleculer's default is to wait for ever.
    requestTimeout: node.REQUEST_TIMEOUT_MS,
    // A stop waits for the calls at hand.
    tracking: { enabled: true, shutdownTimeout: node.SHUTDOWN_TIMEOUT_MS },
    cacher: redisEnvironment.of(environment).REDIS_URL === undefined ? new MemoryCacher() : new RedisCacher(),
    // The strategy prefers local endpoints itself; preferLocal would bypass it.
    registry: { strategy: PlacementStrategy, preferLocal: false, ...(transporter && { stopDelay: ANNOUNCE_MS }) },
    ...(transporter && { transporter: transporter as unknown as Transporter }),
    // Liveness is proven by asking; the heartbeats are the second line, and carry changes that a node has missed.
    heartbeatInterval: 5,
    heartbeatTimeout: 30,
    circuitBreaker: BREAKER,
    ...(node.ZONE !== undefined && { metadata: { zone: node.ZONE } }),
    // For what the mixins count.
    metrics: { enabled: true, collectProcessMetrics: false },
    internalMiddlewares: false,
    middlewares: MIDDLEWARES,
  };
}
