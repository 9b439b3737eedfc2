// Plans the next calls of a saga: a pure function of its definition, its journal and how long it was tried. Guards P5 (sagas
// end): for every state of the journal there is a next call, or the saga has ended, or it is parked with the reason.
//
//   before the pivot   a refusal compensates at once; a call without an answer is repeated until the step's deadline,
//                      then the saga compensates.
//   the pivot itself   likewise; past its deadline it is abandoned first, and if it had been executed the saga goes on.
//                      One that cannot be abandoned is repeated like a step past the pivot: its outcome is not known.
//   past the pivot     calls are repeated; a refusal, or no progress for `stuckAfterMs`, parks the saga as stuck.
//                      Where the pivot has an undo, an operator may then take the saga back: as below, from its last
//                      step, refused steps included. A step that was done and has no undo parks it again.
//   compensating       in reverse order, each step that was sent, answered or not: calls without an answer are abandoned,
//                      so that a late arrival does nothing, then all calls are undone (an undo of nothing does
//                      nothing); last `otherwise`. A refusal here, or no progress for `stuckAfterMs`, parks it as stuck.
//
// The journal may be of another release, with other steps, and it decides: a call is repeated as it was sent; a step that now
// stands before a pivot that was sent is not begun, since steps past the pivot cannot be undone for it; an abandoned step is
// not done. Only a saga that may go back begins to compensate, and only one that may not resumes, so that no journal makes it
// turn to and fro. A journal that only a later release understands is left to a node of that release.
import { isDeepStrictEqual } from "node:util";
import { isPromise, sagaCommandId, plainError, type Issue } from "../kernel/index.ts";
import { deepFreeze } from "../actor/index.ts";
import type { Cause, Failure, Saga, Step } from "./define-saga.ts";
import { fold, NEW, OTHERWISE, type Entry, type SagaState, type SentCall, type StartingEvent } from "./journal.ts";
import { SAGA_LIMITS } from "./limits.ts";

const STEP_TIMEOUT_MS = 60_000;

export interface Circumstances {
  /** RFC 3339. */
  readonly now: string;
  /** The last try, if it failed technically. Only then do deadlines count: a saga that waited for its turn, or for a restart, gets its try. */
  readonly trouble?: Failure | undefined;
  /** For how long the saga has been tried in vain. Default: not at all. */
  readonly driven?: Driven;
  /** Whether a call can be abandoned. Default: if its params name an actor by `id`. */
  readonly canAbandon?: (action: string, params: unknown) => boolean;
  /** Default 15 minutes. */
  readonly stuckAfterMs?: number;
}

/**
 * Milliseconds in which a driver tried, on a clock that only grows. Time without a try does not count: a night without nodes,
 * or a clock that jumps, must not undo or park every saga at its first failure afterwards.
 */
export interface Driven {
  /** Since the step under way was first tried. */
  readonly stepMs: number;
  /** Since the journal last grew. */
  readonly vainMs: number;
}
const NOT_DRIVEN: Driven = { stepMs: 0, vainMs: 0 };

export interface PlannedCall {
  readonly purpose: "step" | "abandon" | "undo";
  readonly step: string;
  readonly item: number;
  readonly action: string;
  readonly params: any;
  /** None for `abandon`, which is about another command. */
  readonly commandId?: string;
  /** Milliseconds of this call; one that hangs is repeated. */
  readonly timeoutMs?: number;
}

export type Plan =
  /** To be made in parallel. */
  | { readonly kind: "calls"; readonly calls: readonly PlannedCall[] }
  /** To be written first. */
  | { readonly kind: "journal"; readonly entry: Entry }
  /** This release does not understand the journal; a node of one that does goes on. */
  | { readonly kind: "elsewhere"; readonly reason: string }
  /** Nothing: it has ended, or waits for an operator. */
  | { readonly kind: "rest" };

const REST: Plan = { kind: "rest" };
/** Characters of a reason, for lists: messages of errors may be longer. */
const REASON_MAX = 1_000;
/** Entries that follow from one another without a call. The longest chain has five; more would never end. */
const CHAIN_MAX = 20;

/**
 * `key` is the saga's name and id, `fulfilment.42`, and makes its command ids unique. A definition that throws (its params, its
 * items) parks the saga.
 */
export function plan(saga: Saga, key: string, state: SagaState, circumstances: Circumstances): Plan {
  if (state.stuck !== undefined || (state.phase !== "running" && state.phase !== "compensating")) return REST;
  const reason = beyond(saga, state);
  if (reason !== undefined) return { kind: "elsewhere", reason };
  const planner = new Planner(saga, key, state, circumstances);
  try {
    return state.phase === "running" ? planner.forward() : planner.back();
  } catch (error) {
    const { step } = planner;
    return stuck(`${step && `step ${step}: `}the definition of ${saga.name} threw: ${plainError(error).message}`);
  }
}

/** Why this release cannot go on with a saga, if it cannot: the journal has a step, or a version, that it does not know. */
export function beyond(saga: Saga, state: SagaState): string | undefined {
  const { name, version } = saga;
  const began = beganUnder(state);
  if (began > version) return `it began under version ${began} of ${name}, and this node has version ${version}`;
  const { names } = shapeOf(saga);
  // A step that an earlier version has sent may have been removed since.
  const unknown = state.calls.find(call => !names.has(call.step) && (call.version ?? began) >= version);
  return unknown && `step ${unknown.step} was sent, which ${name} does not have on this node`;
}
const beganUnder = ({ definition }: SagaState): number => definition?.version ?? 1;

/**
 * Why a saga cannot send its calls once more, from the first on, for the event that its log has now: they would have other
 * params. Or an operator has retried one: where that was an undo, its call was executed under a lower attempt.
 */
export function notRepeatable(saga: Saga, key: string, { anew, ...state }: SagaState): string | undefined {
  if (!anew) return undefined;
  if (state.calls.some(({ attempt }) => attempt > 1)) return "an operator has retried a call of it";
  const planner = new Planner(saga, key, { ...state, event: anew }, { now: "" });
  try {
    const other = planner.otherStep();
    return other && `step ${other} has other params for that event`;
  } catch (error) {
    return `for that event the definition threw in step ${planner.step}: ${plainError(error).message}`;
  }
}

/** The entries that make a new saga: its start, and the entries that follow from it. */
export function begun(saga: Saga, key: string, event: StartingEvent, now: string): Entry[] {
  const { pivot } = shapeOf(saga);
  const definition = { version: saga.version, ...(pivot !== undefined && { pivot }) };
  return advance(saga, key, NEW, [{ type: "saga.started", data: { event, definition, at: now } }], { now });
}

/** The next entries of the journal: these outcomes, and all that follows from them without another call, in one append. */
export function advance(
  saga: Saga,
  key: string,
  state: SagaState,
  outcomes: readonly Entry[],
  circumstances: Circumstances,
): Entry[] {
  const entries = [...outcomes];
  let next = fold(state, outcomes);
  for (let links = 0; links < CHAIN_MAX; links++) {
    const planned = plan(saga, key, next, circumstances);
    if (planned.kind !== "journal") return entries;
    entries.push(planned.entry);
    next = fold(next, [planned.entry]);
  }
  const reason = `${CHAIN_MAX} entries without a call: its plan contradicts itself`;
  return [...entries, { type: "saga.stuck", data: { reason } }];
}

/**
 * Whether the saga can no longer go back: its pivot is done, or may be and cannot be abandoned. Both the definition's pivot
 * and that of the definition under which the saga began count.
 */
export function isPastPivot(saga: Saga, state: SagaState, canAbandon = namesActor): boolean {
  if (state.forced) return false;
  return pivotCalls(saga, state).some(
    ({ step, status, action = actionOf(saga, step), params }) =>
      status === "done" || (status === "sent" && !(action !== undefined && canAbandon(action, params))),
  );
}

function pivotCalls(saga: Saga, { calls, definition }: SagaState): SentCall[] {
  const { pivot } = shapeOf(saga);
  return calls.filter(({ step }) => step === pivot || step === definition?.pivot);
}
const actionOf = ({ steps }: Saga, step: string): string | undefined => steps.find(({ name }) => name === step)?.call;
/** Names of its steps, and its pivot. Kept, since every turn looks at them. */
function shapeOf(saga: Saga): Shape {
  let shape = shapes.get(saga);
  if (!shape) {
    const names = new Set([OTHERWISE, ...saga.steps.map(({ name }) => name)]);
    shapes.set(saga, (shape = { names, pivot: saga.steps.find(step => step.pivot)?.name }));
  }
  return shape;
}
interface Shape {
  readonly names: ReadonlySet<string>;
  readonly pivot: string | undefined;
}
const shapes = new WeakMap<Saga, Shape>();

interface Scope {
  readonly sagaId: string;
  readonly event: unknown;
  readonly done: Record<string, unknown>;
}

class Planner {
  /** The step whose code ran last, for the message when it throws. */
  step = "";
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
    const { steps } = this.#saga;
    const isPast = this.#isPast();
    const lost = this.#removed().find(({ status }) => status === "sent" || status === "refused");
    if (lost) return stuck(`step ${lost.step} was ${lost.status}, but ${this.#saga.name} no longer has it`);
    const pivotAt = pivotCalls(this.#saga, this.#state).length > 0 ? steps.findIndex(step => step.pivot) : -1;
    const scope = this.#scope();
    for (const [i, step] of steps.entries()) {
      const calls = this.#callsOf(step.name);
      const isPassed = i < pivotAt;
      if (calls.length === 0 && !isPassed) {
        const params = this.#paramsOf(step, scope);
        if (params.length > 0) return this.#send(step.name, step.call, params);
      }
      const refused = calls.find(call => call.status === "refused");
      if (refused) return isPast ? stuck(reasonOf(refused.failure!)) : this.#compensate(refused.failure!);
      const pending = calls.filter(call => call.status === "sent");
      if (pending.length > 0) return this.#pursue(step, pending, isPast);
      const undone = calls.find(call => call.status !== "done" && !(isPassed && call.status === "abandoned"));
      if (undone) return stuck(`step ${step.name} is ${undone.status.replace("_", " ")}, and not done`);
      this.#tell(scope, step);
    }
    return { kind: "journal", entry: { type: "saga.completed", data: { at: this.#circumstances.now } } };
  }

  back(): Plan {
    const { failure } = this.#state;
    if (this.#isPast())
      return { kind: "journal", entry: { type: "saga.resumed", data: { at: this.#circumstances.now } } };
    const pivotAt = this.#saga.steps.findIndex(step => step.pivot);
    const lost = this.#removed().find(call => isUndoable(call) || call.status === "undo_refused");
    if (lost) return stuck(`step ${lost.step} was sent, but ${this.#saga.name} no longer knows how to undo it`);
    for (const step of this.#saga.steps.toReversed()) {
      const calls = this.#callsOf(step.name);
      const refused = calls.find(call => call.status === "undo_refused");
      if (refused) return stuck(`cannot undo: ${reasonOf(refused.failure!)}`);
      const open = calls.filter(
        call => call.status === "sent" && this.#canAbandon(this.#actionOf(step, call), call.params),
      );
      if (open.length > 0) return this.#persist(open.map(call => this.#abandon(step, call)));
      const isAfter = pivotAt >= 0 && this.#saga.steps.indexOf(step) >= pivotAt;
      const isPast = isAfter && this.#state.forced === true;
      const fixed = isPast && !step.undo && calls.some(({ status }) => status === "done" || status === "sent");
      if (fixed) return stuck(`step ${step.name} is done, and cannot be taken back`);
      // Past the pivot, an action that was refused halfway may have left effects.
      const isToUndo = (call: SentCall): boolean => isUndoable(call) || (isPast && call.status === "refused");
      const undoable = step.undo && (isPast || !isAfter) ? calls.filter(isToUndo) : [];
      const unannounced = step.undo?.params ? undoable.filter(call => call.undo === undefined) : [];
      if (unannounced.length > 0) return this.#announce(step, unannounced);
      if (undoable.length > 0) return this.#persist(undoable.map(call => this.#undo(step, call)));
    }
    const last = this.#callsOf(OTHERWISE)[0];
    const { call, params } = this.#saga.otherwise;
    this.step = OTHERWISE;
    if (!last) return this.#send(OTHERWISE, call, [asSent(params(this.#scope(), this.#causeOf(failure!)))]);
    if (last.status === "refused") return stuck(reasonOf(last.failure!));
    if (last.status === "sent") return this.#persist([this.#call(OTHERWISE, last.action ?? call, last)]);
    return { kind: "journal", entry: { type: "saga.compensated", data: { at: this.#circumstances.now } } };
  }

  /** The first step that was sent with other params than the event of this journal gives. */
  otherStep(): string | undefined {
    const scope = this.#scope();
    for (const step of this.#saga.steps) {
      const calls = this.#callsOf(step.name);
      if (calls.length === 0) continue;
      const sent = calls.map(({ params }) => params);
      if (!isDeepStrictEqual(this.#paramsOf(step, scope), sent)) return step.name;
      // Also of a step that was taken back since.
      const results = calls.map(({ result }) => deepFreeze(result));
      scope.done[step.name] = step.over ? results : results[0];
    }
    return undefined;
  }

  /** The cause, from the journal alone: `failure` is one of the calls that were refused side by side. */
  #causeOf(failure: Failure): Cause {
    const calls = this.#callsOf(failure.step).filter(call => call.status === "refused" && call.failure);
    const refused = calls.map(({ failure, params }) => {
      const { type, message } = failure!;
      return { type, message, params: deepFreeze(params) };
    });
    return { ...failure, refused };
  }

  #isPast(): boolean {
    return isPastPivot(this.#saga, this.#state, this.#canAbandon);
  }

  /** Calls of steps that a later version of the saga no longer has. */
  #removed(): SentCall[] {
    const { names } = shapeOf(this.#saga);
    return this.#state.calls.filter(({ step }) => !names.has(step));
  }

  /** Runs the author's code. Its result is taken as JSON holds it, so that a repetition sends the same. */
  #paramsOf(step: Step, scope: Scope): unknown[] {
    this.step = step.name;
    if (!step.over) return [asSent(step.params(scope))];
    return asSent(step.over(scope)).map((item: unknown) => asSent(step.params(scope, item)));
  }

  /** Journals the params of the undos before they are called: a repetition uses the same, whatever is deployed meanwhile. */
  #announce(step: Step, calls: readonly SentCall[]): Plan {
    this.step = step.name;
    const { call: action, params } = step.undo!;
    const scope = this.#scope();
    for (const before of this.#saga.steps.slice(0, this.#saga.steps.indexOf(step))) this.#tell(scope, before);
    const undo = calls.map(({ item, params: sent, status, result }) => {
      const done = status === "done" ? { ...scope.done, [step.name]: deepFreeze(result) } : scope.done;
      return { item, params: asSent(params!({ ...scope, done, sent: deepFreeze(sent) })) };
    });
    const data = { failure: this.#state.failure!, at: this.#circumstances.now };
    const entry = { ...data, undo: { step: step.name, action, calls: undo } };
    return { kind: "journal", entry: { type: "saga.compensating", data: entry } };
  }

  /** Adds the answer of a step to the scope, if it has one. */
  #tell(scope: Scope, { name, over }: Step): void {
    const calls = this.#callsOf(name);
    if (over) scope.done[name] = calls.map(call => deepFreeze(call.result));
    else if (calls[0]?.status === "done") scope.done[name] = deepFreeze(calls[0].result);
  }

  #callsOf(step: string): SentCall[] {
    return this.#state.calls.filter(call => call.step === step);
  }

  /** The argument of the author's code. Frozen: it is part of the journal's own state. */
  #scope(): Scope {
    return { sagaId: this.#key.slice(this.#saga.name.length + 1), event: deepFreeze(this.#state.event), done: {} };
  }

  #send(step: string, action: string, params: unknown[]): Plan {
    const { version } = this.#saga;
    const isOther = version !== beganUnder(this.#state);
    const data = { step, action, ...(isOther && { version }), params, at: this.#circumstances.now };
    return { kind: "journal", entry: { type: "saga.sent", data } };
  }

  #compensate(failure: Failure): Plan {
    return { kind: "journal", entry: { type: "saga.compensating", data: { failure, at: this.#circumstances.now } } };
  }

  /** Calls the step's open items, unless its time is up. */
  #pursue(step: Step, pending: readonly SentCall[], isPast: boolean): Plan {
    const { timeoutMs = STEP_TIMEOUT_MS } = step;
    const planned = pending.map(call => this.#call(step.name, this.#actionOf(step, call), call, step));
    if (isPast) return this.#persist(planned);
    const { trouble, driven = NOT_DRIVEN } = this.#circumstances;
    if (trouble && driven.stepMs >= timeoutMs)
      return this.#compensate({ ...trouble, message: `no answer in ${timeoutMs} ms; last: ${trouble.message}` });
    return { kind: "calls", calls: planned };
  }

  /** Calls that must succeed, until they have been in vain for `stuckAfterMs`. */
  #persist(calls: readonly PlannedCall[]): Plan {
    const { trouble, stuckAfterMs = SAGA_LIMITS.stuckAfterMs, driven = NOT_DRIVEN } = this.#circumstances;
    if (trouble && driven.vainMs >= stuckAfterMs)
      return stuck(`no progress for ${stuckAfterMs} ms; last: ${reasonOf(trouble)}`);
    return { kind: "calls", calls };
  }

  /** The action that was called, which may not be the one that the step calls in this release. */
  #actionOf(step: Step, { action = step.call }: SentCall): string {
    return action;
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
    const { action, commandId, params } = this.#call(step.name, this.#actionOf(step, call), call, step);
    const abandon = { action: abandonOf(action), params: { id: params.id, commandId } };
    return { purpose: "abandon", step: step.name, item: call.item, ...abandon };
  }

  #undo(step: Step, { item, params, attempt, undo = { action: step.undo!.call, params } }: SentCall): PlannedCall {
    const commandId = sagaCommandId(this.#key, step.name, attempt, { ...(step.over && { item }), undo: true });
    return { purpose: "undo", step: step.name, item, ...undo, commandId };
  }
}

/** Whether an operator may have it taken back past its pivot. */
export const canBeForced = ({ steps }: Saga): boolean => steps.some(({ pivot, undo }) => pivot && undo !== undefined);

/** Whether a call has to be undone: every one that was sent, unless it was refused, or is undone already. */
const isUndoable = ({ status }: SentCall): boolean => status === "sent" || status === "done" || status === "abandoned";

/** Params, or the items of a step, as JSON holds them. Throws where it cannot hold them, or where they are no object. */
function asSent(value: any): any {
  const isLate = isPromise(value) || (Array.isArray(value) && value.filter(isPromise).length > 0);
  const sent = isLate || typeof value !== "object" || value === null ? undefined : JSON.parse(JSON.stringify(value));
  if (typeof sent === "object" && sent !== null) return sent;
  throw new Error(`gave ${isLate ? "a promise" : String(value)} instead of params`);
}

const stuck = (reason: string): Plan => ({
  kind: "journal",
  entry: { type: "saga.stuck", data: { reason: reason.slice(0, REASON_MAX) } },
});
const reasonOf = ({ step, type, message }: Failure): string => `${step}: ${type}: ${message}`;
/** Whether a call is for an actor, which answers `abandon`. */
export const namesActor = (_action: string, params: unknown): boolean =>
  typeof (params as { id?: unknown } | null)?.id === "string";

/** `shelves.take` → `shelves.abandon`. */
export const abandonOf = (action: string): string => `${action.slice(0, action.lastIndexOf("."))}.abandon`;

/** The journal entry of a call that was answered. Throws where an `abandon` did not tell the outcome of its call. */
export function answered({ purpose, step, item, action }: PlannedCall, answer: any, at: string): Entry {
  if (purpose === "undo") return { type: "saga.undone", data: { step, item, at } };
  if (purpose === "abandon") {
    const executed: unknown = answer?.executed;
    if (typeof executed !== "boolean") throw new Error(`${action} did not say whether the call was executed`);
    return { type: "saga.abandoned", data: { step, item, executed, answer: answer.answer, at } };
  }
  return { type: "saga.done", data: { step, item, result: answer, at } };
}

/** The journal entry of a step or an undo that was refused. */
export function refused({ purpose, step, item }: PlannedCall, error: unknown, at: string): Entry {
  const data = { step, item, failure: failureOf(step, error), at };
  return purpose === "step" ? { type: "saga.refused", data } : { type: "saga.undo_refused", data };
}

export function failureOf(step: string, error: unknown): Failure {
  const { type, message } = plainError(error);
  return { type, message: `${message}${fieldsOf(error)}`.slice(0, REASON_MAX), step };
}

/** The fields that a validator refused, ` (quantity is required)`. */
function fieldsOf(error: unknown): string {
  try {
    const { errors } = (error as { data?: { errors?: unknown } } | undefined)?.data ?? {};
    if (!Array.isArray(errors) || errors.length === 0) return "";
    const told = (error as Error).message;
    return ` (${errors.map(({ field, message }: Issue) => (message === told ? field : `${field} ${message}`)).join(", ")})`;
  } catch {
    // Errors of other code may have any shape.
    return "";
  }
}
