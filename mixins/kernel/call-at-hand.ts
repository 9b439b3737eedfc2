// The call that the code at hand works for, where nobody passes it on: a query names its table, and not the call that
// needs the answer. Outside of calls, as in consumers and timers, there is none, and time does not run out.
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
const calls = new AsyncLocalStorage<Held | undefined>();

/**
 * Runs `work`, with all that it awaits and starts, for the call: 0.4 µs. Its queries end with the call's time, unless
 * `isTimed` is false: they end with that of the call which it is a part of, if there is one.
 */
export function workFor<T>(call: Call, work: (call: Call) => Promise<T>, isTimed = true): Promise<T> {
  const held: Held = { call, timed: undefined };
  held.timed = isTimed ? held : calls.getStore()?.timed;
  const over = (): void => void (held.call = undefined);
  const result = calls.run(held, work, call);
  result.then(over, over);
  return result;
}

/**
 * Writes lines of the log for a request outside of its calls: they have what it has of a call (`requestID`, `meta.user`).
 * Timers that `write` starts are for nobody.
 */
export function logFor(request: object, write: () => void): void {
  const held: Held = { call: request, timed: calls.getStore()?.timed };
  try {
    calls.run(held, write);
  } finally {
    held.call = undefined;
  }
}

/** Runs `work` for no call, whichever has started it. */
export const workForNobody = <T>(work: () => T): T =>
  calls.getStore() === undefined ? work() : calls.run(undefined, work);

/** The call that the code at hand works for, as it was given; undefined where there is none. For the log. */
export const callAtHand = (): object | undefined => calls.getStore()?.call;

/**
 * Milliseconds that the caller of the call at hand still waits; 0 when the time is over, or the client has left. Infinity
 * without a call or a time-out.
 */
export function callTimeLeftMs(): number {
  const call = calls.getStore()?.timed?.call;
  if (!call) return Infinity;
  if (isAbandoned(call)) return 0;
  const { options, startHrTime } = call;
  return options?.timeout && startHrTime ? Math.max(0, options.timeout - elapsedMs(startHrTime)) : Infinity;
}

const services = new WeakSet<object>();

/** Says that the service's actions make queries: their waits end with the calls. For a mixin's `created`. */
export const queriesInCalls = (service: object): void => void services.add(service);

export const hasQueriesInCalls = (service: object): boolean => services.has(service);
