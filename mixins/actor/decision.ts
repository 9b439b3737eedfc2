// One decision: command in, events out, the new state folded. Pure but for the clock and ids in its arguments.
import { Bug, Refusal } from "../kernel/index.ts";
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
    return { events, timers, state: evolveAll(actor, state, events) };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Bug("DECISION_FAILED", `${actor.contract.actor}.${decision.id}: ${command} threw ${String(error)}`, {
      cause: error,
    });
  }
}
