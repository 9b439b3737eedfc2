// Stops calls to an action of a node that fails or hangs, until it answers again (`circuit.ts`). Moleculer's own breaker
// (0.15.2, src/middlewares/circuit-breaker.js) has four defects:
//
//   1. it is inside of the time-out, so that a node that hangs is not counted. Ours is outside (see the order in broker/index.ts)
//   2. it keeps the endpoints of a node that has left: when the node came back, it opened nothing
//   3. an answer to a call from before it opened closes it
//   4. it says neither since when a circuit is open nor when it will be tried
//
// This node's own actions have no breaker: no other node could answer what they cannot. When no endpoint of an action is
// left because of open circuits, `retries.ts` says so at once (`CIRCUIT_OPEN`) in place of waiting for one.
//
// Each node has its own circuits. The internal service `$circuits` shows them to operations, and `/metrics` counts them by
// service.
import type { ActionSchema, Context, ServiceBroker } from "moleculer";
import { IMPATIENT } from "../../kernel/index.ts";
import { metersOf } from "../../metrics/index.ts";
import { callMetrics } from "../metrics.ts";
import { Circuit, type CircuitOptions, type CircuitState, type Pass } from "./circuit.ts";

export const BREAKER = {
  threshold: 0.5,
  /** Seconds over which calls are counted together. */
  windowTime: 30,
  minRequestCount: 20,
  /** Milliseconds until an open breaker lets one call through. */
  halfOpenTime: 2_000,
} satisfies CircuitOptions;

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

/** The meaning of an error for the node; undefined when it has none. */
function verdictOf(error: unknown, ctx: Ctx): "failed" | "answered" | undefined {
  const { code, type, name, nodeID } = (error ?? {}) as {
    code?: unknown;
    type?: string;
    name?: string;
    nodeID?: string;
  };
  // A client that waits for a moment only could otherwise open a circuit for all others.
  if (name === "RequestTimeoutError" && ctx.headers?.[IMPATIENT] !== undefined) return undefined;
  // An error from behind the node is not the node's.
  const isOfNode = nodeID === undefined || nodeID === ctx.nodeID;
  const isFailure = typeof code === "number" && code >= 500 && !NOT_OF_NODE.has(type ?? "");
  return isOfNode && isFailure ? "failed" : "answered";
}

/** A circuit as operations show it. */
export interface CircuitInfo {
  readonly service: string;
  readonly action: string;
  /** The node that is called. */
  readonly node: string;
  readonly state: CircuitState;
  /** Counts of the present window. */
  readonly requests: number;
  readonly failures: number;
  /** RFC 3339: the last change of state. */
  readonly since: string;
  /** RFC 3339: when the next call may pass, for a circuit that is not closed. */
  readonly nextTry?: string;
}

interface Endpoint {
  readonly id: string;
  readonly name: string;
  state: boolean;
}
type Ctx = Context & { endpoint?: Endpoint; headers?: Record<string, string> };
interface Kept {
  readonly circuit: Circuit;
  readonly service: string;
  readonly action: string;
  endpoint: Endpoint;
  timer?: NodeJS.Timeout | undefined;
}

class Circuits {
  readonly #broker: ServiceBroker;
  readonly #kept = new Map<string, Kept>();

  constructor(broker: ServiceBroker) {
    this.#broker = broker;
  }

  of(endpoint: Endpoint, service: string, action: string): Kept {
    let kept = this.#kept.get(endpoint.name);
    if (!kept) {
      const circuit = new Circuit({ ...BREAKER, ...this.#broker.options.circuitBreaker }, performance.now());
      this.#kept.set(endpoint.name, (kept = { circuit, service, action, endpoint }));
    }
    // A node that announces its services anew has new endpoints.
    kept.endpoint = endpoint;
    return kept;
  }

  /** Takes the endpoint out of the choice while no call may pass, and puts it back when one may. */
  apply(kept: Kept): void {
    const { circuit, endpoint } = kept;
    clearTimeout(kept.timer);
    const now = performance.now();
    endpoint.state = circuit.letsPass(now);
    if (!endpoint.state) kept.timer = setTimeout(() => this.apply(kept), Math.ceil(circuit.nextTryAt! - now)).unref();
  }

  forget(node: string): void {
    for (const [name, kept] of this.#kept)
      if (kept.endpoint.id === node) {
        clearTimeout(kept.timer);
        this.#kept.delete(name);
        this.#measure(kept);
      }
  }

  stop(): void {
    for (const { timer } of this.#kept.values()) clearTimeout(timer);
  }

  /** Milliseconds until the first circuit of this action lets a call pass; undefined when none is open. */
  opensIn(action: string): number | undefined {
    const now = performance.now();
    const open = [...this.#kept.values()].filter(kept => kept.action === action && !kept.circuit.letsPass(now));
    return open.length === 0 ? undefined : Math.min(...open.map(({ circuit }) => circuit.nextTryAt! - now));
  }

  list(): CircuitInfo[] {
    const now = performance.now();
    const text = (at: number) => new Date(Date.now() + at - now).toISOString();
    return [...this.#kept.values()].map(({ circuit, service, action, endpoint }) => ({
      service,
      action,
      node: endpoint.id,
      state: circuit.state,
      requests: circuit.requests,
      failures: circuit.failures,
      since: text(circuit.since),
      ...(circuit.nextTryAt !== undefined && { nextTry: text(circuit.nextTryAt) }),
    }));
  }

  settle(kept: Kept, pass: Pass, verdict: "failed" | "answered" | undefined): void {
    const { circuit } = kept;
    const before = circuit.state;
    if (verdict === "failed") circuit.failed(pass, performance.now());
    else if (verdict === "answered") circuit.succeeded(pass, performance.now());
    if (circuit.state !== before) this.#changed(kept, before);
  }

  #changed(kept: Kept, before: CircuitState): void {
    const { circuit, action, endpoint, service } = kept;
    this.apply(kept);
    this.#measure(kept);
    if (circuit.state === "open") {
      const { requests, failures } = circuit;
      metersOf(this.#broker)?.counter(callMetrics.circuitsOpened, { service }).add();
      if (before === "closed")
        this.#broker.logger.warn(
          `circuit of ${action} at ${endpoint.id} opens: ${failures} of ${requests} calls failed`,
        );
    } else if (circuit.state === "closed")
      this.#broker.logger.info(`circuit of ${action} at ${endpoint.id} closes: it answers again`);
  }

  /** Counts the circuits of this service that are not closed. */
  #measure({ service }: Kept): void {
    const open = [...this.#kept.values()].filter(kept => kept.service === service && kept.circuit.state !== "closed");
    metersOf(this.#broker)?.gauge(callMetrics.circuitsOpen, { service }).set(open.length);
  }
}

const circuitsOf = new WeakMap<ServiceBroker, Circuits>();

/**
 * Milliseconds until a circuit of the action lets a call pass, when open circuits keep calls from its nodes; else undefined.
 */
export const circuitOpensInMs = (broker: ServiceBroker, action: string): number | undefined =>
  circuitsOf.get(broker)?.opensIn(action);

export const circuitBreaker = (broker: ServiceBroker) => {
  const circuits = new Circuits(broker);
  circuitsOf.set(broker, circuits);
  const forget = ({ node }: { node: { id: string } }): void => circuits.forget(node.id);
  return {
    name: "CircuitBreaker",

    created() {
      broker.localBus.on("$node.disconnected", forget);
    },

    async starting() {
      broker.createService({
        name: "$circuits",
        actions: {
          list: {
            visibility: "public",
            permission: "operations:read",
            handler: () => ({ circuits: circuits.list() }),
          } as ActionSchema,
        },
      });
    },

    remoteAction(next: (ctx: Ctx) => Promise<unknown>, action: ActionSchema & { service?: { fullName?: string } }) {
      const { name = "" } = action;
      const service = action.service?.fullName ?? name.slice(0, name.lastIndexOf("."));
      return async function breakCircuit(ctx: Ctx): Promise<unknown> {
        const endpoint = ctx.endpoint;
        if (!endpoint) return next(ctx);
        const kept = circuits.of(endpoint, service, name);
        const pass = kept.circuit.begin(performance.now());
        if (pass.isTrial) circuits.apply(kept);
        try {
          const answer = await next(ctx);
          circuits.settle(kept, pass, "answered");
          return answer;
        } catch (error) {
          circuits.settle(kept, pass, verdictOf(error, ctx));
          throw error;
        }
      };
    },

    async stopped() {
      broker.localBus.off("$node.disconnected", forget);
      circuits.stop();
    },
  };
};
