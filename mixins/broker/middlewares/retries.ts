// Decides what a failed call means, and whether it is sent once more. Moleculer's own failures do not say whether the
// call took effect, and some of them are 404s. Here each becomes Unavailable with an outcome, and is repeated at
// another node if that is safe:
//
//   outcome none     the call reached no node, or a node that is leaving: any call may be sent again
//   elsewhere        this node lacks what another may have (code that can read an actor, a read model of its release):
//                    each of the others is asked once
//   outcome unknown  the node died with the call: only `repeatable` actions are sent again (an actor's commands, which
//                    always carry a command id, and its reads)
//
// Only the hop that failed repeats. An error that a hop has given up on is marked and passed on as it is: otherwise
// gateway, actor and saga would multiply their attempts.
//
// Repeating is bounded by a budget (`retry-budget.ts`): when a service as a whole fails, its calls are not multiplied.
// Where open circuits keep calls from every node of an action, the caller is told at once (`CIRCUIT_OPEN`).
//
// Attempts stop at the caller's deadline. After a time-out no time is left, and Moleculer forgets the request but not
// its context (0.15.2, middlewares/error-handler.js), for which a stop would wait: we remove it here.
import { Errors, type ActionSchema, type CallingOptions, type Context, type ServiceBroker } from "moleculer";
import { setTimeout as sleep } from "node:timers/promises";
import { CALL_FAILURES, callErrors, isCallFailure, type CallFailure } from "../../contract/index.ts";
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
import { metersOf } from "../../metrics/index.ts";
import { callMetrics } from "../metrics.ts";
import { circuitOpensInMs } from "./circuit-breaker.ts";
import { RetryBudgets, serviceIn, type RetryBudget } from "./retry-budget.ts";

const limits = {
  attempts: 8,
  /** Milliseconds before the next attempt when no untried node is left: doubled each time, with jitter. */
  pause: { baseMs: 25, capMs: 500 },
  /** Milliseconds: with less time left, no further attempt is made. */
  leastMs: 5,
};

/** Moleculer's failures after which another attempt can help. */
const AGAIN: ReadonlySet<CallFailure> = new Set<CallFailure>([
  "ServiceNotFoundError",
  "ServiceNotAvailableError",
  "BrokerDisconnectedError",
  "RequestRejectedError",
]);

/** Set in the data of an error with `elsewhere` once a hop has given up: the next hop takes it as any other answer. */
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

export const retries = (broker: ServiceBroker, budgets = new RetryBudgets()) => ({
  name: "Retries",

  call(next: Call): Call {
    return function callWithRetries(action, params, options = {}) {
      const first = next(action, params, options);
      // Moleculer makes a context for every action that exists: there are as many budgets as services.
      if (first.ctx?.action?.name) budgets.of(first.ctx.action.name).deposit();
      const called: Called = first.catch((error: unknown) => {
        forgetLate(broker, error, first.ctx);
        const failure = failureOf(error);
        if (!failure) throw error;
        const name = typeof action === "string" ? action : action.action.name;
        const send: Send = again => next(name, params, { ...options, ...again });
        return repeat(broker, send, { called: first, options, failure, name, budget: budgets.of(name) });
      });
      // A caller merges this call's meta into its own.
      if (first.ctx) called.ctx = first.ctx;
      return called;
    };
  },

  /** Gives a command its id when it leaves this node, so that it can be sent again. */
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
  /** Whether only an untried node can help: this one would answer the same again. */
  readonly untriedOnly?: boolean;
}

/** Undefined when the error is the action's answer and not a failure to reach it. */
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
  first: { called: Called; options: Options; failure: Failure; name: string; budget: RetryBudget },
): Promise<unknown> {
  let { called, failure } = first;
  let { headers = {} } = first.options;
  const began = called.ctx?.startHrTime ?? process.hrtime();
  // Where no node has the action, Moleculer makes no context.
  const timeout = called.ctx?.options.timeout ?? first.options.timeout ?? broker.options.requestTimeout ?? 0;
  const leftMs = (): number => (timeout > 0 ? timeout - elapsedMs(began) : Infinity);
  const tried = new Set<string>();
  const count = (metric: "retries" | "retriesSpared"): void =>
    metersOf(broker)
      ?.counter(callMetrics[metric], { service: serviceIn(first.name) })
      .add();
  let outcome: Outcome = "none";
  for (let attempt = 1; ; attempt++) {
    const { ctx } = called;
    // Remembered for all later attempts: this one may have taken effect.
    if (failure.outcome === "unknown") outcome = "unknown";
    const opensInMs = ctx === undefined && broker.transit ? circuitOpensInMs(broker, first.name) : undefined;
    if (opensInMs !== undefined && failure.rule === callErrors.SERVICE_NOT_AVAILABLE.code)
      throw unavailable({ ...failure, error: circuitOpen(first.name, opensInMs) }, outcome);
    const mayRepeat = failure.outcome === "none" || (ctx?.action as Repeatable | undefined)?.repeatable === true;
    if (!broker.transit || !failure.again || !mayRepeat || attempt === limits.attempts)
      throw unavailable(failure, outcome);
    const isOneLeft = exclude(broker, tried, failure, ctx);
    if (!isOneLeft && failure.untriedOnly) throw unavailable(failure, outcome);
    const pauseMs = isOneLeft ? 0 : backoffMs(attempt, limits.pause);
    if (leftMs() - pauseMs < limits.leastMs) throw unavailable(failure, outcome);
    if (ctx && !first.budget.withdraw(performance.now())) {
      count("retriesSpared");
      throw unavailable(failure, outcome);
    }
    if (ctx) count("retries");
    if (pauseMs > 0) await sleep(pauseMs);
    // The repetition takes over the command id that the last attempt got when it left this node: it is the same
    // command.
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

/**
 * Removes the context of a call to another node that timed out. A local action goes on after its time-out, and a stop
 * waits for it.
 */
function forgetLate(broker: ServiceBroker, error: unknown, ctx: Called["ctx"]): void {
  if (!ctx || !(error instanceof Errors.RequestTimeoutError) || ctx.nodeID === broker.nodeID) return;
  const tracked = (broker as unknown as { _trackedContexts?: unknown[] })._trackedContexts ?? [];
  const at = tracked.indexOf(ctx);
  if (at >= 0) tracked.splice(at, 1);
}

/** Leaves out the nodes that cannot answer. True when another node is left. */
function exclude(broker: ServiceBroker, tried: Set<string>, { error }: Failure, ctx: Called["ctx"]): boolean {
  const name = ctx?.action?.name;
  const endpoints = (name && broker.registry.actions.get(name)?.endpoints) || [];
  // Without the bus only this node itself is left.
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

const circuitOpen = (action: string, retryAfterMs: number): Unavailable =>
  callErrors.CIRCUIT_OPEN({ message: `${action}: no node that answers it is well`, retryAfterMs });

const withOutcome = (error: Unavailable, outcome: Outcome): Unavailable =>
  outcome === "none" || outcomeOf(error) === "unknown"
    ? error
    : new Unavailable(error.type, { message: error.message, outcome, cause: error, ...retryAfter(error) });

const retryAfter = ({ data: { retryAfterMs } }: Unavailable): { retryAfterMs?: number } =>
  retryAfterMs === undefined ? {} : { retryAfterMs };
