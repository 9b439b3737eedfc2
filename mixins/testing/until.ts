// Waiting for a condition, with a deadline that says what was waited for. A test that sleeps instead is slow on a fast
// machine and fails on a slow one.
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds until a wait fails. Long, since a wait that succeeds never takes it, and a loaded machine may need most of it. */
const DEADLINE_MS = 45_000;
/** Milliseconds between two looks: short at first, for conditions of this process, longer for those asked of another. */
const SHORTEST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 50;

/**
 * Waits until `look` answers a truthy value, and answers that value.
 *
 * @param what The condition in words: it is in the message of the error. @param withinMs Milliseconds, 45 000 unless
 * given. Then it throws, with the last value.
 */
export function until<T>(what: string, look: () => T | Promise<T>, withinMs?: number): Promise<Truthy<T>>;
export function until<T>(look: () => T | Promise<T>): Promise<Truthy<T>>;
/**
 * Waits until `holds` is true for the answer of `look`, and answers that.
 *
 * @param withinMs Milliseconds, 45 000 unless given. Then it throws, with the last value.
 */
export function until<T>(look: () => T | Promise<T>, holds: (seen: T) => boolean, withinMs?: number): Promise<T>;
export async function until(
  first: string | (() => unknown),
  second: ((seen: any) => unknown) | undefined = Boolean,
  withinMs = DEADLINE_MS,
): Promise<unknown> {
  const [what, look, holds] =
    typeof first === "string" ? [first, second as () => unknown, Boolean] : ["the condition", first, second];
  const end = performance.now() + withinMs;
  for (let pauseMs = SHORTEST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}${lastSeen(seen)}`);
    await sleep(pauseMs);
  }
}

type Truthy<T> = Exclude<T, false | null | undefined | 0 | "">;

function lastSeen(seen: unknown): string {
  if (typeof seen === "boolean" || seen === undefined) return "";
  return `; last seen: ${JSON.stringify(seen, (_key, value) => (typeof value === "bigint" ? `${value}` : value))?.slice(0, 2_000)}`;
}
