// A statement waits for a connection of the pool, and on SQLite for the file's one write lock. The wait ends with the
// call that the statement is made for: nobody would take its answer, and it would keep those waiting that come after it.
// A statement that need not wait is made also for a call whose time is over: it may be the last one of several.
import { callErrors } from "../contract/index.ts";
import { callTimeLeftMs, type Unavailable } from "../kernel/index.ts";

/**
 * The outcome of `wait`, which lasts `waitMsMax` at the most; Unavailable `DEADLINE_PASSED` when the time of the call at
 * hand is over first. Then `leave` has been called, once, before anything else happens.
 */
export async function waitWithinCall<T>(wait: Promise<T>, waitMsMax: number, leave: () => void): Promise<T> {
  const leftMs = callTimeLeftMs();
  if (leftMs > waitMsMax) return wait;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    leave();
    late.reject(tooLate());
  }, leftMs);
  try {
    return await Promise.race([wait, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Throws `DEADLINE_PASSED` when nobody waits for the call at hand any more. */
export function refuseLate(): void {
  if (callTimeLeftMs() === 0) throw tooLate();
}

export const tooLate = (): Unavailable =>
  callErrors.DEADLINE_PASSED({ message: "the caller's time was over before the database had room" });

export const isTooLate = (error: unknown): boolean =>
  (error as { type?: unknown }).type === callErrors.DEADLINE_PASSED.code;
