// What a saga does next: a pure function of its definition, its journal and the time. Guards P5: for every state of the
// journal there is a next step, or the saga has ended, or it is parked with the reason.
//
//   before the pivot   a refusal compensates at once; a call without an answer is repeated until the step's deadline,
//                      then the saga compensates.
//   the pivot itself   likewise; past its deadline it is abandoned first, and if it had been executed the saga goes on.
//                      One that cannot be abandoned is repeated like a step past the pivot: nobody knows the outcome.
//   past the pivot     calls are repeated; a refusal, or no progress for `stuckAfterMs`, parks the saga as stuck.
//   compensating       in reverse order, each step that was sent, answered or not: what has no answer is abandoned, so
//                      that its late arrival does nothing, then everything is undone (an undo of nothing does nothing);
//                      last `otherwise`. A refusal here, or no progress for `stuckAfterMs`, parks it as stuck.
import { sagaCommandId, plainError } from "../kernel/index.ts";
import type { Failure, Saga, Step } from "./define-saga.ts";
import { fold, OTHERWISE, type Entry, type SagaState, type SentCall } from "./journal.ts";
import { SAGA_LIMITS } from "./limits.ts";

const STEP_TIMEOUT_MS = 60_000;

export interface Circumstances {
  /** RFC 3339. */
  readonly now: string;
  /** What the last try came to, if it failed technically. Deadlines only count then: a saga that waited for its turn, or for a restart, gets its try. */
  readonly trouble?: Failure | undefined;
  /** Whether a call can be abandoned. Default: if its params name an actor by `id`. */
  readonly canAbandon?: (action: string, params: unknown) => boolean;
  /** Default 15 minutes. */
  readonly stuckAfterMs?: number;
  /**
   * Milliseconds for which this driver has been there to ask. While nobody was, nobody could answer: a node that is down
   * for longer than a step's deadline must not undo every saga at the first failure after its start. Default: always.
   */
  readonly awakeMs?: number;
}

export interface PlannedCall {
  readonly purpose: "step" | "abandon" | "undo";
  readonly step: string;
  readonly item: number;
  readonly action: string;
  readonly params: any;
  /** None for `abandon`, which is about another command. */
  readonly commandId?: string;
  /** Of this call at most; what hangs is repeated. */
  readonly timeoutMs?: number;
}

export type Plan =
  /** To be made in parallel. */
  | { readonly kind: "calls"; readonly calls: readonly PlannedCall[] }
  /** To be written before anything else is done. */
  | { readonly kind: "journal"; readonly entry: Entry }
  /** Nothing: it has ended, or waits for an operator. */
  | { readonly kind: "rest" };

const REST: Plan = { kind: "rest" };

/**
 * `key` is the saga's name and id, `checkout.42`: what makes its command ids unique. A definition that throws (its
 * params, its items) parks the saga.
 */
export function plan(saga: Saga, key: string, state: SagaState, circumstances: Circumstances): Plan {
  if (state.stuck !== undefined) return REST;
  const planner = new Planner(saga, key, state, circumstances);
  try {
    if (state.phase === "running") return planner.forward();
    return state.phase === "compensating" ? planner.back() : REST;
  } catch (error) {
    return stuck(`the definition of ${saga.name} threw: ${plainError(error).message}`);
  }
}

/** What to journal next: these outcomes and all that follows from them without another call, in one append. */
export function advance(
  saga: Saga,
  key: string,
  state: SagaState,
  outcomes: readonly Entry[],
  circumstances: Circumstances,
): Entry[] {
  const entries = [...outcomes];
  let next = fold(state, outcomes);
  for (;;) {
    const planned = plan(saga, key, next, circumstances);
    if (planned.kind !== "journal") return entries;
    entries.push(planned.entry);
    next = fold(next, [planned.entry]);
  }
}

/** Whether the saga can still go back: not once its pivot is done, nor while nobody can know whether it is. */
export function isPastPivot(saga: Saga, state: SagaState, canAbandon = namesActor): boolean {
  const pivot = saga.steps.find(step => step.pivot);
  const call = pivot && state.calls.find(call => call.step === pivot.name);
  return call?.status === "done" || (call?.status === "sent" && !canAbandon(pivot!.call, call.params));
}

class Planner {
  readonly #saga: Saga;
  readonly #key: string;
  readonly #state: SagaState;
  readonly #circumstances: Circumstances;
  readonly #canAbandon: (action: string, params: unknown) => boolean;

  constructor(saga: Saga, key: string, state: SagaState, circumstances: Circumstances) {
    this.#saga = saga;
    this.#key = key;
    this.#state = state;
    this.#circumstances = circumstances;
    this.#canAbandon = circumstances.canAbandon ?? namesActor;
  }

  forward(): Plan {
    const scope = this.#scope();
    let isPast = false;
    for (const step of this.#saga.steps) {
      const calls = this.#callsOf(step.name);
      if (calls.length === 0) {
        const params = step.over ? step.over(scope).map(item => step.params(scope, item)) : [step.params(scope)];
        if (params.length > 0) return this.#send(step.name, params);
      }
      const refused = calls.find(call => call.status === "refused");
      if (refused) return isPast ? stuck(reasonOf(refused.failure!)) : this.#compensate(refused.failure!);
      const pending = calls.filter(call => call.status === "sent");
      if (pending.length > 0) return this.#pursue(step, pending, isPast);
      scope.done[step.name] = step.over ? calls.map(call => call.result) : calls[0]!.result;
      isPast ||= step.pivot === true;
    }
    return { kind: "journal", entry: { type: "saga.completed", data: { at: this.#circumstances.now } } };
  }

  back(): Plan {
    const { calls, failure } = this.#state;
    const known = (step: string) => step === OTHERWISE || this.#saga.steps.some(({ name }) => name === step);
    const unknown = calls.find(call => !known(call.step));
    if (unknown) return stuck(`step ${unknown.step} was sent, but ${this.#saga.name} no longer knows how to undo it`);
    for (const step of this.#saga.steps.toReversed()) {
      const calls = this.#callsOf(step.name);
      if (step.pivot && calls[0]?.status === "done")
        return { kind: "journal", entry: { type: "saga.resumed", data: { at: this.#circumstances.now } } };
      const refused = calls.find(call => call.status === "undo_refused");
      if (refused) return stuck(`cannot undo: ${reasonOf(refused.failure!)}`);
      const open = calls.filter(call => call.status === "sent" && this.#canAbandon(step.call, call.params));
      if (open.length > 0) return this.#persist(open.map(call => this.#abandon(step, call)));
      const undo = step.undo ? calls.filter(({ status }) => ["sent", "done", "abandoned"].includes(status)) : [];
      if (undo.length > 0) return this.#persist(undo.map(call => this.#undo(step, call)));
    }
    const last = this.#callsOf(OTHERWISE)[0];
    if (!last) return this.#send(OTHERWISE, [this.#saga.otherwise.params(this.#scope(), failure!)]);
    if (last.status === "refused") return stuck(reasonOf(last.failure!));
    if (last.status === "sent") return this.#persist([this.#call(OTHERWISE, this.#saga.otherwise.call, last)]);
    return { kind: "journal", entry: { type: "saga.compensated", data: { at: this.#circumstances.now } } };
  }

  #callsOf(step: string): SentCall[] {
    return this.#state.calls.filter(call => call.step === step);
  }

  #scope(): { sagaId: string; event: unknown; done: Record<string, unknown> } {
    return { sagaId: this.#key.slice(this.#saga.name.length + 1), event: this.#state.event, done: {} };
  }

  #send(step: string, params: unknown[]): Plan {
    return { kind: "journal", entry: { type: "saga.sent", data: { step, params, at: this.#circumstances.now } } };
  }

  #compensate(failure: Failure): Plan {
    return { kind: "journal", entry: { type: "saga.compensating", data: { failure, at: this.#circumstances.now } } };
  }

  /** Calls the step's open items, unless its time is up. */
  #pursue(step: Step, pending: readonly SentCall[], isPast: boolean): Plan {
    const { timeoutMs = STEP_TIMEOUT_MS } = step;
    const planned = pending.map(call => this.#call(step.name, step.call, call, step));
    const isRevocable = !isPast && (!step.pivot || pending.every(call => this.#canAbandon(step.call, call.params)));
    if (!isRevocable) return this.#persist(planned);
    const { trouble, awakeMs = Infinity } = this.#circumstances;
    if (trouble && Math.min(this.#msSince(pending[0]!.sentAt), awakeMs) >= timeoutMs)
      return this.#compensate({ ...trouble, message: `no answer in ${timeoutMs} ms; last: ${trouble.message}` });
    return { kind: "calls", calls: planned };
  }

  /** Calls what must succeed, until it has been in vain for too long. */
  #persist(calls: readonly PlannedCall[]): Plan {
    const { trouble, stuckAfterMs = SAGA_LIMITS.stuckAfterMs } = this.#circumstances;
    if (trouble && this.#msSince(this.#state.progressAt) >= stuckAfterMs)
      return stuck(`no progress for ${stuckAfterMs} ms; last: ${reasonOf(trouble)}`);
    return { kind: "calls", calls };
  }

  #msSince(at: string): number {
    return Date.parse(this.#circumstances.now) - Date.parse(at);
  }

  #call(name: string, action: string, { item, params, attempt }: SentCall, step?: Step): PlannedCall {
    const commandId = sagaCommandId(this.#key, name, attempt, step?.over ? { item } : {});
    return {
      purpose: "step",
      step: name,
      item,
      action,
      params,
      commandId,
      ...(step?.timeoutMs !== undefined && { timeoutMs: step.timeoutMs }),
    };
  }

  #abandon(step: Step, call: SentCall): PlannedCall {
    const { commandId, params } = this.#call(step.name, step.call, call, step);
    const abandon = { action: abandonOf(step.call), params: { id: params.id, commandId } };
    return { purpose: "abandon", step: step.name, item: call.item, ...abandon };
  }

  #undo(step: Step, { item, params, attempt }: SentCall): PlannedCall {
    const commandId = sagaCommandId(this.#key, step.name, attempt, { ...(step.over && { item }), undo: true });
    return { purpose: "undo", step: step.name, item, action: step.undo!, params, commandId };
  }
}

const stuck = (reason: string): Plan => ({ kind: "journal", entry: { type: "saga.stuck", data: { reason } } });
const reasonOf = ({ step, type, message }: Failure): string => `${step}: ${type}: ${message}`;
/** Whether a call is for an actor, which could be told to ignore it. */
export const namesActor = (_action: string, params: unknown): boolean =>
  typeof (params as { id?: unknown } | null)?.id === "string";

/** `inventory.reserve` → `inventory.abandon`. */
export const abandonOf = (action: string): string => `${action.slice(0, action.lastIndexOf("."))}.abandon`;

/** The journal entry of a call that was answered. */
export function answered({ purpose, step, item }: PlannedCall, answer: any, at: string): Entry {
  if (purpose === "undo") return { type: "saga.undone", data: { step, item, at } };
  if (purpose === "abandon")
    return { type: "saga.abandoned", data: { step, item, executed: answer.executed, answer: answer.answer, at } };
  return { type: "saga.done", data: { step, item, result: answer, at } };
}

/** The journal entry of a step or an undo that was refused. */
export function refused({ purpose, step, item }: PlannedCall, error: unknown, at: string): Entry {
  const data = { step, item, failure: failureOf(step, error), at };
  return purpose === "step" ? { type: "saga.refused", data } : { type: "saga.undo_refused", data };
}

export function failureOf(step: string, error: unknown): Failure {
  const { type, message } = plainError(error);
  return { type, message, step };
}
