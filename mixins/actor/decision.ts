// One decision: command in, events out, the new state folded. Pure but for the clock and ids in its arguments.
import { asError, Bug, isPrintable, isPromise, Refusal } from "../kernel/index.ts";
import { evolveAll, type Actor, type Decision, type PlainEvent, type Timer } from "./define-actor.ts";
import { actorErrors } from "./errors.ts";

export interface Outcome<S> {
  readonly events: readonly PlainEvent[];
  readonly timers: readonly Timer<any>[];
  readonly state: S;
}

/** The inputs of a decision except `refuse`, which comes from the actor's contract. */
export type Moment = Omit<Decision, "refuse">;

export const decisionOf = (id: string, now: string, newId: () => string): Moment => ({ id, now, newId });

/** Decides and folds. Throws the refusal; anything else that the definition throws becomes Bug `DECISION_FAILED`. */
export function decide<S>(
  actor: Actor,
  state: S,
  command: string,
  params: unknown,
  decision: Moment,
  prepared?: unknown,
): Outcome<S> {
  let decided: unknown;
  try {
    decided = actor.decide[command]!(
      state as never,
      params as never,
      { ...decision, refuse: refuseOf(actor) },
      prepared,
    );
  } catch (error) {
    throw error instanceof Refusal ? error : decisionFailed(actor, decision.id, command, error);
  }
  try {
    const { events, timers } = Array.isArray(decided) ? { events: decided, timers: [] } : decidedOf(decided);
    for (const timer of timers) checkTimer(actor, timer);
    mustBeHere(events);
    return { events, timers, state: evolveAll(actor, state, events) };
  } catch (error) {
    throw decisionFailed(actor, decision.id, command, error);
  }
}

const refuseOf =
  ({ contract: { refusals } }: Actor): Decision["refuse"] =>
  (code, detail) =>
    refusals[code](detail);

/** The bug of a definition whose code threw, or gave a value that cannot be stored. */
export function decisionFailed(actor: Actor, id: string, command: string, cause: unknown): Bug {
  if (cause instanceof Bug) return cause;
  const { name, message } = asError(cause);
  return actorErrors.DECISION_FAILED({
    stream: `${actor.contract.actor}.${id}`,
    command,
    name,
    reason: message,
    cause,
  });
}

function decidedOf(decided: unknown): { events: readonly PlainEvent[]; timers: readonly Timer<any>[] } {
  const { events, timers } = (decided ?? {}) as Partial<Outcome<unknown>>;
  if (isPromise(decided) || !Array.isArray(events) || !Array.isArray(timers))
    throw new TypeError("a decision is a list of events, or `{ events, timers }`");
  return { events, timers };
}

/** Looks at all of them: a rejected promise that has no handler ends the process. */
function mustBeHere(events: readonly (PlainEvent | null)[]): void {
  let late = 0;
  for (const event of events) if (isPromise(event) || isPromise(event?.data)) late++;
  if (late > 0) throw new TypeError(`${late} of its events are promises, or have one for data`);
}

/** Throws for a timer that the store cannot keep: in a batch it would fail the appends of other actors as well. */
function checkTimer(actor: Actor, timer: Timer<any>): void {
  const name = "cancel" in timer ? timer.cancel : timer.set;
  if (typeof name !== "string" || name.length > TIMER_NAME_MAX || !isPrintable(name))
    throw new Error(`a timer's name is up to ${TIMER_NAME_MAX} printable characters, not ${JSON.stringify(name)}`);
  if ("cancel" in timer) return;
  const { afterMs } = timer;
  if (typeof afterMs !== "number" || !(Math.abs(afterMs) <= AFTER_MS_MAX))
    throw new Error(
      `timer ${name}: afterMs is ${JSON.stringify(afterMs)}, not milliseconds of at most a hundred years`,
    );
  if (!Object.hasOwn(actor.decide, timer.command))
    throw new Error(`timer ${name}: the actor has no command ${timer.command}`);
}
/** Characters: the timer's command id holds its name, beside the stream. */
const TIMER_NAME_MAX = 100;
/** A hundred years. */
const AFTER_MS_MAX = 100 * 365.25 * 24 * 3_600_000;
