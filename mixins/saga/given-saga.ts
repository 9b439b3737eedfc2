// givenSaga(Checkout, started("order.placed", {…}), done("reserve", […])).calls("payments.authorize", {…}): one line,
// no broker, no test framework. Between the outcomes that are given, the saga does what it would do by itself.
import assert from "node:assert/strict";
import {
  ActorId,
  compileSchema,
  contractOf,
  strictObject,
  type Check,
  type EventData,
  type EventName,
} from "../contract/index.ts";
import type { Saga } from "./define-saga.ts";
import { fold, NEW, OTHERWISE, type Entry, type SagaState } from "./journal.ts";
import { advance, begun, plan, type Circumstances, type PlannedCall } from "./planner.ts";

/** Time and id of every saga under `givenSaga`. */
export const SAGA_GIVEN_ID = "actor-1";
export const SAGA_GIVEN_NOW = "2026-01-01T00:00:00.000Z";

/** What happened to a saga: journal entries that depend on what it was doing. */
export type Given = (state: SagaState, calls: readonly PlannedCall[], saga: Saga) => readonly Entry[];

const at = SAGA_GIVEN_NOW;
const keyOf = ({ name }: Saga): string => `${name}.${SAGA_GIVEN_ID}`;

/** The event that starts it. */
export const started =
  <T extends EventName>(type: T, data: EventData<T>, stream = SAGA_GIVEN_ID): Given =>
  (_state, _calls, saga) => {
    const actor = (type as string).split(".")[0]!;
    const event = { eventId: `${actor}.${stream}@1`, type, actor, stream, version: 1, at, data, metadata: {} };
    return begun(saga, keyOf(saga), event, at);
  };

/** The step was answered with this result; a step of items with one result each. */
export const done =
  (step: string, ...results: readonly unknown[]): Given =>
  (_, calls) =>
    underWay(step, calls).map(({ item }, i) => ({ type: "saga.done", data: { step, item, result: results[i], at } }));

/** The step was refused, in a step of items one of them; the items before it were answered. */
export const refused =
  (step: string, type: string, item = 0): Given =>
  (_, calls) => {
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
  () => [{ type: "saga.undo_refused", data: { step, item, failure: { type, message: type, step }, at } }];

/** What was asked to be undone of the step is undone. */
export const undone =
  (step: string): Given =>
  (_, calls) =>
    underWay(step, calls).map(({ item }) => ({ type: "saga.undone", data: { step, item, at } }));

/** What was asked to be abandoned of the step: `executed` with an answer, or never to be executed. */
export const abandoned =
  (step: string, executed: boolean, answer?: unknown): Given =>
  (_, calls) =>
    underWay(step, calls).map(({ item }) => ({ type: "saga.abandoned", data: { step, item, executed, answer, at } }));

/** `otherwise` was answered. */
export const told = (): Given => done(OTHERWISE, {});
/** An operator retried. */
export const retried = (): Given => () => [{ type: "saga.retried", data: { by: "operator", at } }];
/** An operator asked it to go back. */
export const compensating = (): Given => () => [
  { type: "saga.compensating", data: { failure: { type: "BY_OPERATOR", message: "by operator", step: "" }, at } },
];

/** An operator took it back although it is past its pivot. */
export const forced = (): Given => () => {
  const failure = { type: "BY_OPERATOR", message: "by operator", step: "" };
  return [{ type: "saga.compensating", data: { failure, pastPivot: true, at } }];
};

function underWay(step: string, calls: readonly PlannedCall[]): readonly PlannedCall[] {
  const found = calls.filter(call => call.step === step);
  assert.ok(found.length > 0, `${step} is not under way, but ${calls.map(call => call.step).join(", ") || "nothing"}`);
  return found;
}

/**
 * A saga after what happened to it. The params of all that it calls on its way, compensations included, are checked
 * against the contracts of those services whose `contract.ts` the test has loaded: what they would refuse fails the test.
 */
export function givenSaga(saga: Saga, ...past: readonly Given[]) {
  const key = keyOf(saga);
  const planned = (state: SagaState, circumstances: Partial<Circumstances> = {}): readonly PlannedCall[] => {
    const next = plan(saga, key, state, { now: at, ...circumstances });
    const calls = next.kind === "calls" ? next.calls : [];
    for (const call of calls) assertInContract(saga, call);
    return calls;
  };
  let state = NEW;
  for (const given of past)
    state = fold(state, advance(saga, key, state, given(state, planned(state), saga), { now: at }));

  const then = (state: SagaState, circumstances: Partial<Circumstances> = {}) => {
    const calls = planned(state, circumstances);
    const assertCalls = (action: string, params: readonly unknown[]) => {
      assert.deepEqual([...new Set(calls.map(call => call.action))], [action]);
      assert.deepEqual(
        calls.map(call => call.params),
        params,
      );
    };
    return {
      /** The calls that the saga makes now, to one action, in the order of items. */
      calls: (action: string, ...params: readonly unknown[]) => {
        assert.equal(state.phase, "running");
        assertCalls(action, params);
      },
      /** As `calls`, on the way back. */
      compensates: (action: string, ...params: readonly unknown[]) => {
        assert.equal(state.phase, "compensating");
        assertCalls(action, params);
      },
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
        const next = plan(saga, key, state, { now: at, ...circumstances });
        assert.match(next.kind === "elsewhere" ? next.reason : `not elsewhere: ${next.kind}`, reason);
      },
      isNotStuck: () => assert.equal(state.stuck, undefined),
      isStuck: (reason: RegExp) => assert.match(state.stuck ?? "not stuck", reason),
    };
  };
  return {
    ...then(state),
    /**
     * What it does when its calls have failed technically until `ms` after they were sent; `awakeMs` of these somebody was
     * there to try, all of them by default.
     */
    afterTrouble(
      ms: number,
      { awakeMs = ms, ...options }: Omit<Circumstances, "now" | "trouble" | "driven"> & { awakeMs?: number } = {},
    ) {
      const step = planned(state, options)[0]?.step ?? "";
      const trouble = { type: "REQUEST_TIMEOUT", message: "no answer", step };
      const driven = { stepMs: awakeMs, vainMs: awakeMs };
      const circumstances = { ...options, driven, trouble, now: new Date(Date.parse(at) + ms).toISOString() };
      const next = fold(state, advance(saga, key, state, [], circumstances));
      // What it turns to has had no trouble yet.
      return then(next, next === state ? circumstances : { ...options, now: circumstances.now });
    },
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
