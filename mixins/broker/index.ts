// The options, middlewares and transporters of the broker. Only moleculer.config.ts (and tests that build a broker)
// import it.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { BrokerOptions, Middleware } from "moleculer";
import { clusterKeysIn, natsOptions, nodeEnvironment, type Environment } from "../kernel/index.ts";
import { brokerLog } from "../log/mixin.ts";
import { redisEnvironment } from "../redis/index.ts";
import { tracing } from "../tracing/index.ts";
import { MemoryCacher } from "./cachers/memory-cacher.ts";
import { RedisCacher } from "./cachers/redis-cacher.ts";
import { healthReport } from "./health-report.ts";
import { nodeConfiguration } from "./node-configuration.ts";
import { nodeFigures } from "./node-figures.ts";
import { nodeTraces } from "./node-traces.ts";
import { health } from "./health.ts";
import { liveness } from "./liveness.ts";
import { announcements } from "./middlewares/announcements.ts";
import { authorization } from "./middlewares/authorization.ts";
import { bulkhead } from "./middlewares/bulkhead.ts";
import { callAtHand } from "./middlewares/call-at-hand.ts";
import { callChain } from "./middlewares/call-chain.ts";
import { BREAKER, circuitBreaker } from "./middlewares/circuit-breaker.ts";
import { fallback } from "./middlewares/fallback.ts";
import { identity } from "./middlewares/identity.ts";
import { logLevels } from "./middlewares/log-levels.ts";
import { observeCalls } from "./middlewares/observe-calls.ts";
import { retries } from "./middlewares/retries.ts";
import { stopping } from "./middlewares/stopping.ts";
import { timeouts } from "./middlewares/timeouts.ts";
import { tracingMiddleware } from "./middlewares/tracing.ts";
import { PlacementStrategy } from "./placement-strategy.ts";
import { Regenerator } from "./regenerator.ts";
import { NatsTransporter } from "./transporters/nats.ts";
import { TcpTransporter } from "./transporters/tcp.ts";
import { worker } from "./worker.ts";
import { Validator } from "./validator.ts";

export { versionCanary, type VersionCanary } from "./middlewares/version-canary.ts";

type Transporter = NonNullable<BrokerOptions["transporter"]>;

/** Milliseconds that a leaving node goes on serving after it has announced that it leaves. */
const ANNOUNCE_MS = 200;

/**
 * From the innermost to the outermost. Moleculer's own middlewares, except:
 *
 * - Metrics is `observeCalls`: Moleculer's counts every call and event, 7 µs a call, more than the rest of a call together.
 * - CircuitBreaker and Bulkhead are ours: Moleculer's breaker is inside of the time-out and never sees one, and its bulkhead executes calls whose callers have given up.
 * - Timeout and ContextTracker are `timeouts`: it makes two promises a call in place of nine. Fallback is `fallback`: it makes none for
 *   a call that has none.
 * - Tracing too: its exporters do not speak OTLP, and it measures calls only. `middlewares/tracing.ts` is there where traces are sent, and the spans of calls are begun and ended by `observeCalls`.
 * - Retry has no effect: its option is off, and `retries` repeats calls.
 */
const MIDDLEWARES = [
  callAtHand,
  logLevels,
  health,
  healthReport,
  nodeConfiguration,
  nodeFigures,
  nodeTraces,
  stopping,
  announcements,
  callChain,
  "ActionHook",
  "Validator",
  bulkhead,
  "Cacher",
  // Outside of the cacher: a cached answer must not pass by the check of roles.
  authorization,
  timeouts,
  circuitBreaker,
  "Retry",
  fallback,
  "ErrorHandler",
  "Debounce",
  "Throttle",
  observeCalls,
  retries,
  identity,
  liveness,
  worker,
] as unknown as Middleware[];

function middlewares(): Middleware[] {
  const active = tracing();
  if (!active) return MIDDLEWARES;
  // Each attempt of a repeated call is a span of its own.
  return MIDDLEWARES.toSpliced(MIDDLEWARES.indexOf(retries as unknown as Middleware) + 1, 0, tracingMiddleware(active));
}

/** NATS where there is one, else TCP between the workers of one machine, else none. */
function transporterOf(environment: Environment): NatsTransporter | TcpTransporter | undefined {
  const node = nodeEnvironment.of(environment);
  const { NATS_URL, WORKER } = node;
  if (NATS_URL !== undefined) return new NatsTransporter(natsOptions(NATS_URL, node));
  return WORKER === undefined ? undefined : new TcpTransporter();
}

/** Without NODEID Moleculer takes host and process number; a node of a role also has the role's name. */
function nodeIdOf(environment: Environment): { nodeID?: string } {
  const { NODEID } = nodeEnvironment.of(environment);
  if (NODEID !== undefined) return { nodeID: NODEID };
  const keys = clusterKeysIn(environment);
  if (!keys || keys.own.anyNodeId) return {};
  return { nodeID: `${keys.own.name}.${hostname().toLowerCase()}-${process.pid}` };
}

/** The options of every broker of the runtime. `valence` carries the environment to the mixins. */
export function brokerOptions(environment: Environment): BrokerOptions & { valence: Environment } {
  const node = nodeEnvironment.of(environment);
  const transporter = transporterOf(environment);
  return {
    valence: environment,
    namespace: node.NAMESPACE,
    ...nodeIdOf(environment),
    logLevel: node.LOGLEVEL,
    logger: brokerLog(environment),
    validator: new Validator(),
    // For each context. Moleculer's own puts an id together from twenty pieces, of numbers that can be guessed.
    uidGenerator: () => randomUUID(),
    errorRegenerator: new Regenerator(),
    // Moleculer's default has no time-out.
    requestTimeout: node.REQUEST_TIMEOUT_MS,
    // A stop waits for the calls that are running.
    tracking: { enabled: true, shutdownTimeout: node.SHUTDOWN_TIMEOUT_MS },
    cacher: redisEnvironment.of(environment).REDIS_URL === undefined ? new MemoryCacher() : new RedisCacher(),
    // The strategy prefers local endpoints itself; preferLocal would bypass it.
    registry: { strategy: PlacementStrategy, preferLocal: false, ...(transporter && { stopDelay: ANNOUNCE_MS }) },
    ...(transporter && { transporter: transporter as unknown as Transporter }),
    // Questions (`liveness.ts`) find dead nodes; heartbeats are the second line, and carry changes that a node has
    // missed.
    heartbeatInterval: 5,
    heartbeatTimeout: 30,
    circuitBreaker: { enabled: true, ...BREAKER },
    ...(node.ZONE !== undefined && { metadata: { zone: node.ZONE } }),
    // The mixins count in their own registry (`metrics/meters.ts`): there is no second truth.
    metrics: false,
    internalMiddlewares: false,
    middlewares: middlewares(),
  };
}
