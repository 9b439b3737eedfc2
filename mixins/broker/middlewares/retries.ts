// What a failed call means, and whether it is sent once more. Moleculer's own failures say nothing of the effect and some
// of them are 404s; here each becomes Unavailable with its outcome, and what may be repeated is, at another node:
//
//   outcome none     it reached nobody, or a node that is leaving: any call may be sent again
//   elsewhere        this node lacks what another may have (the code that can read an actor, a read model of its release):
//                    each of the others is asked once
//   outcome unknown  the node died with it: only what is repeatable (`repeatable`: an actor's commands, which always
//                    carry a command id, and its reads)
//
// Only this hop repeats: what an inner call failed with is passed on as it is, marked where it was given up, or gateway,
// actor and saga would multiply.
// It stops at the caller's deadline. A time-out leaves nothing to repeat with; and Moleculer forgets the request then, but
// not its context (0.15.2, middlewares/error-handler.js), for which a stop would wait: so that is taken out here.
import { Errors, type ActionSchema, type CallingOptions, type Context, type ServiceBroker } from "moleculer";
import { setTimeout as sleep } from "node:timers/promises";
import { CALL_FAILURES, isCallFailure, type CallFailure } from "../../contract/index.ts";
import {
  autoCommandId,
  backoffMs,
  COMMAND_ID,
  elapsedMs,
  type Outcome,
  outcomeOf,
  REPEATED,
  Unavailable,
} from "../../kernel/index.ts";

const limits = {
  attempts: 8,
  /** Milliseconds before the next attempt when no untried node is left: doubled each time, with jitter. */
  pause: { baseMs: 25, capMs: 500 },
  /** Milliseconds without which an attempt is not worth it. */
  leastMs: 5,
};

/** Moleculer's failures after which another attempt can help. */
const AGAIN: ReadonlySet<CallFailure> = new Set<CallFailure>([
  "ServiceNotFoundError",
  "ServiceNotAvailableError",
  "BrokerDisconnectedError",
  "RequestRejectedError",
]);

/** Set in the data of an answer that says where, once a hop has given up: to the next one it is an answer like any other. */
const GIVEN_UP = "givenUp";

interface Options extends CallingOptions {
  headers?: Record<string, string>;
  /** Nodes that failed this call: the placement strategy leaves them out while there are others. */
  tried?: Set<string>;
}
type Called = Promise<unknown> & {
  ctx?: Context & { startHrTime?: [number, number]; headers?: Record<string, string> };
};
type Call = (action: string | { action: { name: string } }, params: unknown, options?: Options) => Called;
type Send = (again: Required<Pick<Options, "headers" | "tried">> & { timeout?: number }) => Called;
type Repeatable = ActionSchema & { repeatable?: boolean };

export const retries = (broker: ServiceBroker) => ({
  name: "Retries",

  call(next: Call): Call {
    return function callWithRetries(action, params, options = {}) {
      const first = next(action, params, options);
      const called: Called = first.catch((error: unknown) => {
        forgetLate(broker, error, first.ctx);
        const failure = failureOf(error);
        if (!failure) throw error;
        const name = typeof action === "string" ? action : action.action.name;
        const send: Send = again => next(name, params, { ...options, ...again });
        return repeat(broker, send, { called: first, options, failure });
      });
      // A caller merges the meta of the call into its own.
      if (first.ctx) called.ctx = first.ctx;
      return called;
    };
  },

  /** A command that leaves this node gets its id here, so that it can be sent again. */
  remoteAction(next: (ctx: Context) => Promise<unknown>, { repeatable }: Repeatable) {
    if (!repeatable) return next;
    return function identify(ctx: Context & { headers?: Record<string, string> }) {
      if (ctx.headers?.[COMMAND_ID] === undefined) {
        ctx.headers = { ...ctx.headers, [COMMAND_ID]: autoCommandId() };
        (ctx.options as Options).headers = ctx.headers;
      }
      return next(ctx);
    };
  },
});

interface Failure {
  readonly error: Error;
  readonly rule: string;
  readonly outcome: Outcome;
  readonly again: boolean;
  /** Whether only a node that was not tried yet can help: this one would answer the same again. */
  readonly untriedOnly?: boolean;
}

/** Undefined: not a failure of the way there, but an answer. */
function failureOf(error: unknown): Failure | undefined {
  if (error instanceof Unavailable) {
    const untriedOnly = error.data.elsewhere === true;
    if (error.data[GIVEN_UP] === true || !(untriedOnly || error.type === "MOVED")) return undefined;
    return { error, rule: error.type, outcome: outcomeOf(error), again: true, untriedOnly };
  }
  if (!(error instanceof Errors.MoleculerError) || !isCallFailure(error.name)) return undefined;
  const { code: rule, status } = CALL_FAILURES[error.name];
  return { error, rule, outcome: status === 503 ? "none" : "unknown", again: AGAIN.has(error.name) };
}

async function repeat(
  broker: ServiceBroker,
  send: Send,
  first: { called: Called; options: Options; failure: Failure },
): Promise<unknown> {
  let { called, failure } = first;
  let { headers = {} } = first.options;
  const began = called.ctx?.startHrTime ?? process.hrtime();
  // Where no node has the action, Moleculer makes no context.
  const timeout = called.ctx?.options.timeout ?? first.options.timeout ?? broker.options.requestTimeout ?? 0;
  const leftMs = (): number => (timeout > 0 ? timeout - elapsedMs(began) : Infinity);
  const tried = new Set<string>();
  let outcome: Outcome = "none";
  for (let attempt = 1; ; attempt++) {
    const { ctx } = called;
    // Whatever the next attempts say: this one may have taken effect.
    if (failure.outcome === "unknown") outcome = "unknown";
    const mayRepeat = failure.outcome === "none" || (ctx?.action as Repeatable | undefined)?.repeatable === true;
    if (!broker.transit || !failure.again || !mayRepeat || attempt === limits.attempts)
      throw unavailable(failure, outcome);
    const isOneLeft = exclude(broker, tried, failure, ctx);
    if (!isOneLeft && failure.untriedOnly) throw unavailable(failure, outcome);
    const pauseMs = isOneLeft ? 0 : backoffMs(attempt, limits.pause);
    if (leftMs() - pauseMs < limits.leastMs) throw unavailable(failure, outcome);
    if (pauseMs > 0) await sleep(pauseMs);
    // An attempt that left this node may have made the command id: it is the same command.
    headers = { ...headers, ...ctx?.headers, ...(outcome === "unknown" && { [REPEATED]: "1" }) };
    called = send({ ...(timeout > 0 && { timeout: leftMs() }), headers, tried });
    try {
      const answer = await called;
      if (first.called.ctx) Object.assign(first.called.ctx.meta, called.ctx?.meta);
      return answer;
    } catch (error) {
      forgetLate(broker, error, called.ctx);
      const next = failureOf(error);
      if (!next) throw error instanceof Unavailable ? withOutcome(error, outcome) : error;
      failure = next;
    }
  }
}

/** What runs here goes on after its time-out, and is waited for. */
function forgetLate(broker: ServiceBroker, error: unknown, ctx: Called["ctx"]): void {
  if (!ctx || !(error instanceof Errors.RequestTimeoutError) || ctx.nodeID === broker.nodeID) return;
  const tracked = (broker as unknown as { _trackedContexts?: unknown[] })._trackedContexts ?? [];
  const at = tracked.indexOf(ctx);
  if (at >= 0) tracked.splice(at, 1);
}

/** Takes the nodes that cannot answer out of the choice; whether any is left. */
function exclude(broker: ServiceBroker, tried: Set<string>, { error }: Failure, ctx: Called["ctx"]): boolean {
  const name = ctx?.action?.name;
  const endpoints = (name && broker.registry.actions.get(name)?.endpoints) || [];
  // Cut off, only this node itself is left.
  if (error.name === "BrokerDisconnectedError")
    for (const endpoint of endpoints) if (!endpoint.local) tried.add(endpoint.id);
  if (ctx?.nodeID) tried.add(ctx.nodeID);
  return endpoints.some(endpoint => endpoint.isAvailable && !tried.has(endpoint.id));
}

function unavailable({ error, rule }: Failure, outcome: Outcome): Unavailable {
  if (error instanceof Unavailable) {
    const last = withOutcome(error, outcome);
    const { elsewhere: _asked, ...data } = last.data;
    return Object.assign(last, { data: { ...data, [GIVEN_UP]: true } });
  }
  return new Unavailable(rule, { message: error.message, outcome, cause: error });
}

const withOutcome = (error: Unavailable, outcome: Outcome): Unavailable =>
  outcome === "none" || outcomeOf(error) === "unknown"
    ? error
    : new Unavailable(error.type, { message: error.message, outcome, cause: error });
