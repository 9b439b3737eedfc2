// One decision: command in, events out, the new state folded. Pure but for the clock and ids in its arguments.
import { Bug, isPrintable, Refusal } from "../kernel/index.ts";
import { evolveAll, type Actor, type Decision, type PlainEvent, type Timer } from "./define-actor.ts";

export interface Outcome<S> {
  readonly events: readonly PlainEvent[];
  readonly timers: readonly Timer<any>[];
  readonly state: S;
}

export const decisionOf = (id: string, now: string, newId: () => string): Decision => ({
  id,
  now,
  newId,
  refuse: (rule, detail) => new Refusal(rule, detail),
});

/** Decides and folds. Throws the refusal; anything else that is thrown is a bug of the definition, and comes out as one. */
export function decide<S>(
  actor: Actor,
  state: S,
  command: string,
  params: unknown,
  decision: Decision,
  prepared?: unknown,
): Outcome<S> {
  try {
    const decided = actor.decide[command]!(state as never, params as never, decision, prepared);
    const { events, timers } = Array.isArray(decided) ? { events: decided, timers: [] } : (decided as any);
    for (const timer of timers) checkTimer(timer);
    return { events, timers, state: evolveAll(actor, state, events) };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Bug("DECISION_FAILED", `${actor.contract.actor}.${decision.id}: ${command} threw ${String(error)}`, {
      cause: error,
    });
  }
}

/** Of a timer that the store cannot keep the decision must hear: in a batch it would fail the neighbours as well. */
function checkTimer(timer: Timer<any>): void {
  const name = "cancel" in timer ? timer.cancel : timer.set;
  if (typeof name !== "string" || name.length > TIMER_NAME_MAX || !isPrintable(name))
    throw new Error(`a timer's name is up to ${TIMER_NAME_MAX} printable characters, not ${JSON.stringify(name)}`);
  if ("set" in timer && !(Math.abs(timer.afterMs) <= AFTER_MS_MAX))
    throw new Error(`timer ${name}: afterMs is ${timer.afterMs}`);
}
/** Characters: the id of the command that it fires holds it, beside the stream. */
const TIMER_NAME_MAX = 100;
/** A hundred years. */
const AFTER_MS_MAX = 100 * 365.25 * 24 * 3_600_000;
