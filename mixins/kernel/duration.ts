// Lengths of time as people write them: `{ minutes: 15 }`.

/** Fields add up: `{ minutes: 1, seconds: 30 }`. */
export interface Duration {
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly ms?: number;
}

/** Milliseconds of a duration. A number is milliseconds already. */
export function msOf(duration: Duration | number): number {
  if (typeof duration === "number") return duration;
  const { days = 0, hours = 0, minutes = 0, seconds = 0, ms = 0 } = duration;
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000 + ms;
}
