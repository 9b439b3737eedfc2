/** Time as an argument: the system's in production, a test's own where time matters. */
export interface Clock {
  /** Milliseconds since the epoch. For people and records; it may jump. */
  now(): number;
  /** Milliseconds that only grow. For deadlines, leases held and staleness. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** RFC 3339 in UTC, with milliseconds. */
export const rfc3339 = (epochMs: number): string => new Date(epochMs).toISOString();

export const seconds = (n: number): number => n * 1_000;
export const minutes = (n: number): number => n * 60_000;
