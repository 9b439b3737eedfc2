// A saga under two random definitions, old and new nodes in turn, with answers, refusals, losses and operators by chance.
// The planner's promises are asserted at every entry; in the end all calls are answered, and the saga has to end.
import assert from "node:assert/strict";
import { defineSaga, type Saga, type Step } from "./define-saga.ts";
import { fold, NEW, OTHERWISE, type Entry } from "./journal.ts";
import { advance, begun, isPastPivot, plan, type Circumstances, type PlannedCall } from "./planner.ts";

const ROUNDS = { wild: 60, calm: 60 };
/** Entries that may follow from one another without a call. */
const CHAIN_MAX = 6;
const at = "2026-01-01T00:00:00.000Z";
const key = "s.x";
const event = {
  eventId: "wish.x@1",
  type: "wish.made",
  actor: "wish",
  stream: "x",
  version: 1,
  at,
  data: {},
  metadata: {},
};

export function randomRun(seed: number): void {
  const { random, pick, chance } = generator(seed);
  const definitions = [randomSaga(), randomSaga()] as const;
  let saga = definitions[0];
  let state = fold(NEW, begun(saga, key, event, at));
  for (let round = 0; round < ROUNDS.wild; round++) {
    if (chance(0.15)) saga = pick(definitions);
    if (!turn(false)) break;
  }
  saga = definitions[1];
  for (let round = 0; turn(true); round++) assert.ok(round < ROUNDS.calm, `${story()} does not end`);

  /** One turn of a driver, or a request of an operator. Answers whether it goes on. */
  function turn(isCalm: boolean): boolean {
    const order = isCalm ? undefined : ordered();
    if (order) state = fold(state, [order]);
    const planned = plan(saga, key, state, { now: at });
    if (planned.kind === "elsewhere") return !isCalm;
    if (planned.kind === "rest") return state.stuck !== undefined && !isCalm;
    const calls = planned.kind === "calls" ? planned.calls : [];
    const outcomes = calls.flatMap(call => (isCalm || chance(0.8) ? [answer(call, isCalm)] : []));
    const trouble = { type: "LOST", message: "no answer", step: calls[0]?.step ?? "" };
    const ms = pick([0, 3_600_000]);
    const circumstances: Circumstances = {
      now: at,
      ...(outcomes.length < calls.length && { trouble, driven: { stepMs: ms, vainMs: ms } }),
    };
    const entries = advance(saga, key, state, outcomes, circumstances);
    assert.ok(entries.length - outcomes.length <= CHAIN_MAX, `${story()}: ${entries.map(({ type }) => type).join()}`);
    for (const [i, entry] of entries.entries()) {
      if (i >= outcomes.length) assertSound(entry);
      state = fold(state, [entry]);
    }
    return true;
  }

  function assertSound({ type, data }: Entry): void {
    const isPast = isPastPivot(saga, state);
    const pivotAt = saga.steps.findIndex(step => step.pivot);
    const wasSent = (step: string): boolean => state.calls.some(call => call.step === step);
    if (
      type === "saga.sent" &&
      saga.steps.findIndex(({ name }) => name === data.step) < pivotAt &&
      data.step !== OTHERWISE
    )
      assert.ok(!wasSent(saga.steps[pivotAt]!.name), `${story()}: ${data.step} is begun past the pivot`);
    if (type === "saga.compensating" || type === "saga.compensated")
      assert.ok(!isPast, `${story()}: undone past the pivot`);
    if (type === "saga.resumed") assert.ok(isPast, `${story()}: resumes before the pivot`);
    if (type === "saga.completed") for (const step of saga.steps) assertDone(step, pivotAt);
    if (type === "saga.compensated")
      for (const call of state.calls)
        if (saga.steps.some(({ name, undo }) => undo && name === call.step))
          assert.ok(["undone", "refused"].includes(call.status), `${story()}: ${call.step} is ${call.status}`);
  }

  function assertDone(step: Step, pivotAt: number): void {
    const calls = state.calls.filter(call => call.step === step.name);
    const isPassed = saga.steps.indexOf(step) < pivotAt;
    if (calls.length === 0) assert.ok(isPassed || step.over, `${story()}: ${step.name} is passed over`);
    for (const { status } of calls)
      assert.ok(status === "done" || (isPassed && status === "abandoned"), `${story()}: ${step.name} is ${status}`);
  }

  function answer({ purpose, step, item }: PlannedCall, isCalm: boolean): Entry {
    const failure = { type: "NO", message: "no", step };
    const isRefused = !isCalm && chance(0.15);
    if (purpose === "abandon") return { type: "saga.abandoned", data: { step, item, executed: chance(0.4), at } };
    if (purpose === "undo")
      return isRefused
        ? { type: "saga.undo_refused", data: { step, item, failure, at } }
        : { type: "saga.undone", data: { step, item, at } };
    return isRefused
      ? { type: "saga.refused", data: { step, item, failure, at } }
      : { type: "saga.done", data: { step, item, result: { of: step }, at } };
  }

  function ordered(): Entry | undefined {
    if (state.stuck !== undefined && chance(0.5)) return { type: "saga.retried", data: { by: "ann", at } };
    // Its log was put back to an older state, and written anew.
    if (state.stuck === undefined && chance(0.03))
      return {
        type: "saga.stuck",
        data: { reason: "LOG_PUT_BACK", anew: { ...state.event!, at: `${state.entries}` } },
      };
    if (state.phase !== "running" || isPastPivot(saga, state) || !chance(0.05)) return undefined;
    return { type: "saga.compensating", data: { failure: { type: "ANN", message: "ann", step: "" }, at } };
  }

  function randomSaga(): Saga {
    const names = ["a", "b", "c", "d", "e"].filter(() => chance(0.7)).sort(() => random() - 0.5);
    const pivotAt = pick([-1, ...names.keys()]);
    const otherwise = ["x.fail", () => ({ id: "x" })];
    let made: any = (defineSaga as any)("s", { startedBy: "wish.made", otherwise, version: pick([1, 1, 2]) });
    for (const [i, name] of names.entries()) {
      // Without an id it cannot be abandoned.
      const params = chance(0.7) ? () => ({ id: name }) : () => ({ of: name });
      const items = Array.from({ length: Math.floor(random() * 4) });
      const undo = pick([undefined, `x.undo_${name}`, [`x.undo_${name}`, ({ sent }: { sent: object }) => ({ sent })]]);
      const isBack = pivotAt < 0 || i < pivotAt;
      const options = isBack && undo ? { undo } : {};
      if (i === pivotAt) made = made.pivot(name, `x.${name}`, params);
      else if (chance(0.3)) made = made.each(name, () => items, `x.${name}`, params, options);
      else made = made.step(name, `x.${name}`, params, options);
    }
    return made as Saga;
  }

  function story(): string {
    const steps = saga.steps.map(({ name, pivot }) => (pivot ? name.toUpperCase() : name)).join("");
    const calls = state.calls.map(({ step, item, status }) => `${step}${item}:${status}`).join(" ");
    return `SEED=${seed}: ${steps}, ${state.phase}, ${calls}`;
  }
}

/** A seeded generator (mulberry32), so that a failure can be run again. */
function generator(seed: number) {
  let mixer = seed >>> 0;
  const random = (): number => {
    mixer = (mixer + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(mixer ^ (mixer >>> 15), mixer | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    random,
    chance: (of: number): boolean => random() < of,
    pick: <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!,
  };
}
