// An actor under `given`, at one instant of a virtual clock: its state and the timers that are set. A command, or time that
// passes, makes the next moment; nothing waits, so a timer of fifteen minutes fires in a millisecond.
//
// All that passes through is checked against the contract, and every state is frozen: a fold that changes the state it was
// given throws here, since the runtime keeps states as they were at their commit.
import assert from "node:assert/strict";
import type { TProperties } from "typebox";
import { deepFreeze, Refusal, rfc3339 } from "../kernel/index.ts";
import { compileSchema, strictObject, type Check } from "../contract/index.ts";
import { decide, decisionOf, type Outcome } from "./decision.ts";
import { evolveAll, type Actor, type PlainEvent, type Timer } from "./define-actor.ts";

/** The actor's id under `given`, and the instant at which it begins. */
export const GIVEN_ID = "actor-1";
export const GIVEN_NOW = "2026-01-01T00:00:00.000Z";

/** A timer that is set. */
export interface SetTimer {
  readonly name: string;
  readonly dueMs: number;
  readonly command: string;
  readonly params: unknown;
}

export interface Moment {
  readonly state: unknown;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** In the order in which they were set. */
  readonly timers: readonly SetTimer[];
  /** Ids made so far. */
  readonly ids: number;
}

/** A timer that has fired, with the events or the refusal of its command. */
export interface Fired extends SetTimer {
  readonly events: readonly PlainEvent[];
  readonly refusal: Refusal | undefined;
}

/** Results of `prepare`, by command. */
export type Findings = Readonly<Record<string, unknown>>;

/** Timers fired in one step of time. More is a timer that sets itself again and again. */
const FIRED_MAX = 1_000;

export const beginning = (actor: Actor, past: readonly PlainEvent[]): Moment => ({
  state: fold(actor, deepFreeze(actor.initial()), past),
  nowMs: Date.parse(GIVEN_NOW),
  timers: [],
  ids: 0,
});

/** A decision and the moment after it. Throws the refusal. */
export function decideAt(
  actor: Actor,
  moment: Moment,
  command: string,
  params: unknown,
  prepared: unknown,
): Outcome<unknown> & { readonly next: Moment } {
  let { ids } = moment;
  const decision = decisionOf(GIVEN_ID, rfc3339(moment.nowMs), () => `id-${++ids}`);
  const decided = decide(actor, moment.state, command, params, decision, prepared);
  for (const { type, data } of decided.events) inContract(actor.contract.events[type], data, type);
  const state = fold(actor, moment.state, decided.events);
  return { ...decided, next: { ...withTimers(actor, moment, decided.timers), state, ids } };
}

/** The timers are set and cancelled as of the moment. */
export function withTimers(actor: Actor, moment: Moment, changes: readonly Timer<any>[]): Moment {
  const timers = new Map(moment.timers.map(timer => [timer.name, timer]));
  for (const change of changes) {
    timers.delete("cancel" in change ? change.cancel : change.set);
    if ("cancel" in change) continue;
    const { set: name, afterMs, command, params } = change;
    inContract(actor.contract.commands[command], params, `timer ${name}: ${command}`);
    timers.set(name, { name, dueMs: moment.nowMs + afterMs, command, params });
  }
  return { ...moment, timers: [...timers.values()] };
}

/** Time passes: timers fire in the order in which they are due, each at its instant, those that they set as well. */
export function pass(
  actor: Actor,
  from: Moment,
  ms: number,
  found: Findings = {},
): { readonly fired: readonly Fired[]; readonly next: Moment } {
  const untilMs = from.nowMs + ms;
  const fired: Fired[] = [];
  let moment = from;
  for (let timer = nextDue(moment, untilMs); timer; timer = nextDue(moment, untilMs)) {
    const { name, dueMs, command, params } = timer;
    if (fired.length === FIRED_MAX) throw new Error(`timer ${name} fires without end`);
    if (actor.prepare?.[command] && !Object.hasOwn(found, command))
      throw new Error(`timer ${name}: ${command} prepares; give its result: after(…, { ${command}: … })`);
    const timers = moment.timers.filter(other => other !== timer);
    moment = { ...moment, timers, nowMs: Math.max(dueMs, moment.nowMs) };
    try {
      const { events, next } = decideAt(actor, moment, command, params, found[command]);
      moment = next;
      fired.push({ ...timer, events, refusal: undefined });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      fired.push({ ...timer, events: [], refusal: error });
    }
  }
  return { fired, next: { ...moment, nowMs: untilMs } };
}

/** The first of those that are due; of several at one instant the one that was set first. */
function nextDue({ timers }: Moment, untilMs: number): SetTimer | undefined {
  const due = timers.filter(({ dueMs }) => dueMs <= untilMs);
  return due.toSorted((a, b) => a.dueMs - b.dueMs)[0];
}

function fold<S>(actor: Actor, state: S, events: readonly PlainEvent[]): S {
  const next = deepFreeze(evolveAll(actor, state, events));
  inContract(actor.contract.state, next, "state");
  return next;
}

const checks = new WeakMap<TProperties, Check>();
/** Throws an assertion error for a value that the schema of the contract does not allow. */
export function inContract(schema: TProperties, value: unknown, what: string): void {
  assert.ok(schema, `${what} is not in the contract`);
  const check = checks.get(schema) ?? compileSchema(strictObject(schema));
  checks.set(schema, check);
  const found = check(value);
  assert.equal(found, true, `${what} breaks the contract: ${JSON.stringify(found)}`);
}
