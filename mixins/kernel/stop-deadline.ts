// How long a broker that stops may still wait for the work at hand.
import { environmentOf } from "./environment.ts";

/** When it must be over, on the monotonic clock. */
const deadlines = new WeakMap<object, number>();

/** The time begins to run. Answers what ends it: a broker can be started again. */
export function beginStop(broker: { options: object }): () => void {
  deadlines.set(broker, performance.now() + environmentOf(broker).shutdownTimeoutMs);
  return () => void deadlines.delete(broker);
}

/** Milliseconds that are left of `SHUTDOWN_TIMEOUT_MS`: all of them until a stop begins, 0 when they are over. */
export function stopTimeLeft(broker: { options: object }): number {
  const by = deadlines.get(broker);
  return by === undefined ? environmentOf(broker).shutdownTimeoutMs : Math.max(0, by - performance.now());
}
