const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** `3 minutes ago`, `in 2 hours`; `just now` within half a minute. Milliseconds since the epoch. */
export function ago(moment: number, now: number): string {
  const seconds = Math.round((moment - now) / 1_000);
  if (Math.abs(seconds) < 30) return "just now";
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const [unit, size] of UNITS)
    if (Math.abs(seconds) >= size * 0.99) return format.format(Math.round(seconds / size), unit);
  return format.format(seconds, "second");
}
