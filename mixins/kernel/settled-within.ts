import { setTimeout as pause } from "node:timers/promises";

/** Resolves when all of the work has, which never rejects, or after so many milliseconds. */
export async function settledWithin(work: readonly Promise<unknown>[], withinMs: number): Promise<void> {
  if (work.length === 0) return;
  const late = new AbortController();
  const timeUp = pause(withinMs, undefined, { signal: late.signal }).catch(() => {});
  await Promise.race([Promise.all(work), timeUp]);
  late.abort();
}
