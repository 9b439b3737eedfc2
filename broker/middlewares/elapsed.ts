/** Milliseconds since a call began, by the time that Moleculer's Timeout notes on its context (`startHrTime`). */
export function elapsedMs(since: [number, number]): number {
  const [seconds, nanoseconds] = process.hrtime(since);
  return seconds * 1_000 + nanoseconds / 1e6;
}
