// The work that the code at hand belongs to, where nobody passes it on: the call, since a query names its table and not the call that needs
// the answer; and the span, for the floor of traces. Outside of calls, as in consumers and timers, there is no call, and time
// does not run out.
//
// One storage keeps both. Each that is entered costs a call 0.4 µs and a kilobyte, so a call that is traced enters once: its span
// opens the work (`openCall`), and `workFor` joins it.
import { AsyncLocalStorage } from "node:async_hooks";
import { isAbandoned } from "./abandoned.ts";
import { elapsedMs } from "./clock.ts";

/** The parts of Moleculer's context that say how long the caller waits. */
interface Call {
  readonly options?: { readonly timeout?: number | null | undefined };
  readonly startHrTime?: [number, number] | null;
}
interface Held {
  /** Empty once the call is over: connections and loops that it has started live on, and keep what they were started in. */
  call: Call | undefined;
  /** The call whose time queries end with: this one, or one that it is a part of. */
  timed: Held | undefined;
}
interface Work {
  held: Held | undefined;
  readonly span: unknown;
  /** The call that it was opened for, until that one's `workFor`. */
  opened: object | undefined;
}
const storage = new AsyncLocalStorage<Work | undefined>();

/**
 * Runs `work`, with all that it awaits and starts, for the call: 0.4 µs. Its queries end with the call's time, unless
 * `isTimed` is false: they end with that of the call which it is a part of, if there is one.
 */
export function workFor<T>(call: Call, work: (call: Call) => Promise<T>, isTimed = true): Promise<T> {
  const around = storage.getStore();
  const held: Held = { call, timed: undefined };
  held.timed = isTimed ? held : around?.held?.timed;
  const over = (): void => void (held.call = undefined);
  const result = around?.opened === call ? join(around, held, work) : enter(held, around?.span, work);
  result.then(over, over);
  return result;
}

function join<T>(around: Work, held: Held, work: (call: Call) => Promise<T>): Promise<T> {
  around.opened = undefined;
  around.held = held;
  return work(held.call!);
}

const enter = <T>(held: Held, span: unknown, work: (call: Call) => Promise<T>): Promise<T> =>
  storage.run({ held, span, opened: undefined }, work, held.call!);

/** Runs `work` in the span, and opens what `workFor` the same call joins. */
export const openCall = <C extends object, T>(call: C, span: unknown, work: (call: C) => T): T =>
  storage.run({ held: storage.getStore()?.held, span, opened: call }, work, call);

/** Runs `work` in the span; undefined: in none. */
export function workInSpan<T>(span: unknown, work: () => T): T {
  const around = storage.getStore();
  return around?.span === span ? work() : storage.run({ held: around?.held, span, opened: undefined }, work);
}

/** The span that the code at hand works in, as it was given. For the floor of traces. */
export const spanAtHand = (): unknown => storage.getStore()?.span;

/**
 * Writes lines of the log for a request outside of its calls: they have what it has of a call (`requestID`, `meta.user`).
 * Timers that `write` starts are for nobody.
 */
export function logFor(request: object, write: () => void): void {
  const around = storage.getStore();
  const held: Held = { call: request, timed: around?.held?.timed };
  try {
    storage.run({ held, span: around?.span, opened: undefined }, write);
  } finally {
    held.call = undefined;
  }
}

/** Runs `work` for no call, whichever has started it. */
export function workForNobody<T>(work: () => T): T {
  const around = storage.getStore();
  return around?.held === undefined
    ? work()
    : storage.run({ held: undefined, span: around.span, opened: undefined }, work);
}

/** The call that the code at hand works for, as it was given; undefined where there is none. For the log. */
export const callAtHand = (): object | undefined => storage.getStore()?.held?.call;

/**
 * Milliseconds that the caller of the call at hand still waits; 0 when the time is over, or the client has left. Infinity
 * without a call or a time-out.
 */
export function callTimeLeftMs(): number {
  const call = storage.getStore()?.held?.timed?.call;
  if (!call) return Infinity;
  if (isAbandoned(call)) return 0;
  const { options, startHrTime } = call;
  return options?.timeout && startHrTime ? Math.max(0, options.timeout - elapsedMs(startHrTime)) : Infinity;
}

const services = new WeakSet<object>();

/** Says that the service's actions make queries: their waits end with the calls. For a mixin's `created`. */
export const queriesInCalls = (service: object): void => void services.add(service);

export const hasQueriesInCalls = (service: object): boolean => services.has(service);
