// given(Fulfilment, started("wish.made", {…}), done("take", […])).calls("outside.charge", {…}): one line, no broker,
// no test framework. Between the given outcomes the saga acts by itself, as its driver would let it. Time is virtual: a
// deadline of a minute passes in a millisecond, given(Fulfilment, …).afterTrouble({ minutes: 1 }).compensates(…).
import assert from "node:assert/strict";
import { msOf, type Duration } from "../kernel/index.ts";
import {
  ActorId,
  compileSchema,
  contractOf,
  strictObject,
  type Check,
  type EventData,
  type EventName,
} from "../contract/index.ts";
import { GIVEN_ID, GIVEN_NOW } from "../actor/index.ts";
import type { Saga } from "./define-saga.ts";
import { fold, NEW, OTHERWISE, type Entry, type SagaState } from "./journal.ts";
import { advance, begun, plan, type Circumstances, type PlannedCall } from "./planner.ts";

/** A saga in the course of its past. */
export interface Scene {
  readonly saga: Saga;
  readonly state: SagaState;
  /** The calls that are under way. */
  readonly calls: readonly PlannedCall[];
  /** RFC 3339. */
  readonly at: string;
}
/** One outcome in a saga's past: journal entries, from the calls that were under way. */
export type Given = (scene: Scene) => readonly Entry[];

const keyOf = ({ name }: Saga): string => `${name}.${GIVEN_ID}`;

/** The event that starts it. */
export const started =
  <T extends EventName>(type: T, data: EventData<T>, stream = GIVEN_ID): Given =>
  ({ saga, at }) => {
    const actor = (type as string).split(".")[0]!;
    const event = { eventId: `${actor}.${stream}@1`, type, actor, stream, version: 1, at, data, metadata: {} };
    return begun(saga, keyOf(saga), event, at);
  };

/** The step was answered with this result; a step of items with one result each. */
export const done =
  (step: string, ...results: readonly unknown[]): Given =>
  ({ calls, at }) =>
    underWay(step, calls).map(({ item }, i) => ({ type: "saga.done", data: { step, item, result: results[i], at } }));

/** The step was refused, in a step of items one of them; the items before it were answered. */
export const refused =
  (step: string, type: string, item = 0): Given =>
  ({ calls, at }) => {
    underWay(step, calls);
    const before = Array.from({ length: item }, (_, item) => ({ step, item, result: {}, at }));
    const failure = { type, message: type, step };
    return [
      ...before.map(data => ({ type: "saga.done" as const, data })),
      { type: "saga.refused", data: { step, item, failure, at } },
    ];
  };

/** The undo of the step was refused. */
export const undoRefused =
  (step: string, type: string, item = 0): Given =>
  ({ at }) => [{ type: "saga.undo_refused", data: { step, item, failure: { type, message: type, step }, at } }];

/** All that was to be undone of the step is undone. */
export const undone =
  (step: string): Given =>
  ({ calls, at }) =>
    underWay(step, calls).map(({ item }) => ({ type: "saga.undone", data: { step, item, at } }));

/** All that was to be abandoned of the step is: each call was `executed`, with this answer, or never will be. */
export const abandoned =
  (step: string, executed: boolean, answer?: unknown): Given =>
  ({ calls, at }) =>
    underWay(step, calls).map(({ item }) => ({ type: "saga.abandoned", data: { step, item, executed, answer, at } }));

/** `otherwise` was answered. */
export const told = (): Given => done(OTHERWISE, {});
/** An operator retried. */
export const retried =
  (): Given =>
  ({ at }) => [{ type: "saga.retried", data: { by: "operator", at } }];

const failure = { type: "BY_OPERATOR", message: "by operator", step: "" };
/** An operator asked it to go back. */
export const compensating =
  (): Given =>
  ({ at }) => [{ type: "saga.compensating", data: { failure, at } }];
/** An operator took it back although it is past its pivot. */
export const forced =
  (): Given =>
  ({ at }) => [{ type: "saga.compensating", data: { failure, pastPivot: true, at } }];

function underWay(step: string, calls: readonly PlannedCall[]): readonly PlannedCall[] {
  const found = calls.filter(call => call.step === step);
  assert.ok(found.length > 0, `${step} is not under way, but ${calls.map(call => call.step).join(", ") || "nothing"}`);
  return found;
}

/**
 * A saga after the given outcomes, at `GIVEN_NOW`, started by the event of a stream `GIVEN_ID`. The params of all that it
 * calls on its way, compensations included, are checked against the contracts of those services whose `contract.ts` the
 * test has loaded: params that they would refuse fail the test.
 */
export function given(saga: Saga, ...past: readonly Given[]) {
  return {
    ...atInstant(saga, past, GIVEN_NOW),
    /** All of it happened at this instant, RFC 3339. */
    at: (now: string) => atInstant(saga, past, new Date(now).toISOString()),
  };
}

function atInstant(saga: Saga, past: readonly Given[], at: string) {
  const key = keyOf(saga);
  let state = NEW;
  for (const given of past) {
    const calls = callsOf(saga, state, { now: at });
    state = fold(state, advance(saga, key, state, given({ saga, state, calls, at }), { now: at }));
  }
  return {
    ...assertions(saga, state, { now: at }),
    /**
     * The saga after its calls have failed technically for this long since they were sent; a number is milliseconds. A node
     * was there to try them for `awakeMs` of these, by default all the time.
     */
    afterTrouble(
      duration: Duration | number,
      { awakeMs, ...options }: Omit<Circumstances, "now" | "trouble" | "driven"> & { awakeMs?: number } = {},
    ) {
      const ms = msOf(duration);
      const now = new Date(Date.parse(at) + ms).toISOString();
      const step = callsOf(saga, state, { ...options, now: at })[0]?.step ?? "";
      const trouble = { type: "REQUEST_TIMEOUT", message: "no answer", step };
      const driven = { stepMs: awakeMs ?? ms, vainMs: awakeMs ?? ms };
      const circumstances = { ...options, driven, trouble, now };
      const next = fold(state, advance(saga, key, state, [], circumstances));
      // Calls that the saga turns to have not failed yet.
      return assertions(saga, next, next === state ? circumstances : { ...options, now });
    },
  };
}

function callsOf(saga: Saga, state: SagaState, circumstances: Circumstances): readonly PlannedCall[] {
  const next = plan(saga, keyOf(saga), state, circumstances);
  const calls = next.kind === "calls" ? next.calls : [];
  for (const call of calls) assertInContract(saga, call);
  return calls;
}

function assertions(saga: Saga, state: SagaState, circumstances: Circumstances) {
  const calls = callsOf(saga, state, circumstances);
  const assertCalls = (phase: SagaState["phase"], action: string, params: readonly unknown[]): void => {
    assert.equal(state.phase, phase);
    assert.deepEqual([...new Set(calls.map(call => call.action))], [action]);
    assert.deepEqual(
      calls.map(call => call.params),
      params,
    );
  };
  return {
    /** The calls that the saga makes now, to one action, in the order of items. */
    calls: (action: string, ...params: readonly unknown[]) => assertCalls("running", action, params),
    /** As `calls`, on the way back. */
    compensates: (action: string, ...params: readonly unknown[]) => assertCalls("compensating", action, params),
    /** Command ids of the calls that the saga makes now. */
    commandIds: (...ids: readonly string[]) =>
      assert.deepEqual(
        calls.map(call => call.commandId),
        ids,
      ),
    isCompleted: () => assert.equal(state.phase, "completed"),
    isCompensated: () => assert.equal(state.phase, "compensated"),
    /** This release does not understand its journal, and leaves it to one that does. */
    restsElsewhere: (reason: RegExp) => {
      const next = plan(saga, keyOf(saga), state, circumstances);
      assert.match(next.kind === "elsewhere" ? next.reason : `not elsewhere: ${next.kind}`, reason);
    },
    isNotStuck: () => assert.equal(state.stuck, undefined),
    isStuck: (reason: RegExp) => assert.match(state.stuck ?? "not stuck", reason),
  };
}

const checks = new Map<string, Check | undefined>();

function assertInContract(saga: Saga, { purpose, step, action, params }: PlannedCall): void {
  if (purpose === "abandon") return;
  if (!checks.has(action)) checks.set(action, checkOf(action));
  const found = checks.get(action)?.(params) ?? true;
  const says = found === true ? "" : found.map(({ field, message }) => `${field} ${message}`).join(", ");
  const what = `${saga.name}: ${purpose === "undo" ? "the undo of " : ""}${step}`;
  assert.equal(found, true, `${what} breaks the contract of ${action}: ${says}`);
}

/** None for an action of a contract that is not loaded. */
function checkOf(action: string): Check | undefined {
  const dot = action.lastIndexOf(".");
  const contract = contractOf(action.slice(0, dot));
  const command = contract?.commands[action.slice(dot + 1)];
  const params = command ? { id: ActorId, ...command } : contract?.actions[action.slice(dot + 1)]?.params;
  return params && compileSchema(strictObject(params));
}
