/** Time as an argument: the system's in production, a test's own where time matters. */
export interface Clock {
  /** Milliseconds since the epoch. For people and records; it may jump. */
  now(): number;
  /** Milliseconds that only grow. For deadlines, leases held and staleness. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** RFC 3339 in UTC, with milliseconds. The last one is remembered: a busy millisecond asks for it a hundred times. */
export function rfc3339(epochMs: number): string {
  if (epochMs !== last.epochMs) last = { epochMs, text: new Date(epochMs).toISOString() };
  return last.text;
}
let last = { epochMs: 0, text: "1970-01-01T00:00:00.000Z" };

/** Milliseconds since a call began, by the time that Moleculer's Timeout notes on its context (`startHrTime`). */
export function elapsedMs(since: [number, number]): number {
  const [seconds, nanoseconds] = process.hrtime(since);
  return seconds * 1_000 + nanoseconds / 1e6;
}

export const seconds = (n: number): number => n * 1_000;
export const minutes = (n: number): number => n * 60_000;
