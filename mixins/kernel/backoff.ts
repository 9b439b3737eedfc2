/**
 * Milliseconds to wait before attempt `attempt` (1 = first retry): exponential, capped, with equal
 * jitter: half of it fixed, half random, so that calls which failed together do not come back together (M. Brooker,
 * "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 */
export function backoffMs(
  attempt: number,
  {
    baseMs = 50,
    capMs = 10_000,
    random = Math.random,
  }: { baseMs?: number; capMs?: number; random?: () => number } = {},
): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt - 1, 30));
  return Math.ceil(ceiling * (0.5 + random() / 2));
}
