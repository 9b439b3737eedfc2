// How a broker stops: the work that ends before its services, and the time that is left for the work at hand.
import { nodeEnvironment } from "./node-environment.ts";

/** By broker, the instant at which its stop must be over: milliseconds of the monotonic clock. */
const deadlines = new WeakMap<object, number>();

/** Starts the time of a stop. The function that it returns ends it: a broker can be started again. */
export function beginStop(broker: { options: object }): () => void {
  deadlines.set(broker, performance.now() + nodeEnvironment.of(broker).SHUTDOWN_TIMEOUT_MS);
  return () => void deadlines.delete(broker);
}

/** Whether the broker is stopping: a call that fails from now on may fail because of that. */
export const isStopping = (broker: object): boolean => deadlines.has(broker);

/** Milliseconds that are left of `SHUTDOWN_TIMEOUT_MS`: all of them until a stop begins, 0 when they are used up. */
export function stopTimeLeft(broker: { options: object }): number {
  const by = deadlines.get(broker);
  return by === undefined ? nodeEnvironment.of(broker).SHUTDOWN_TIMEOUT_MS : Math.max(0, by - performance.now());
}

/**
 * Runs `begin` as the broker begins to stop, and waits for it before any service stops: for servers whose requests still
 * need all services, and for components that call on their own, whose calls the broker waits for and which would keep the
 * stop waiting as long as events come in.
 */
export function stopsFirst(
  { fullName, broker }: { fullName: string; broker: { middlewares: { add(middleware: object): void } } },
  begin: () => Promise<void>,
): void {
  broker.middlewares.add({ name: `${fullName}:stops-first`, stopping: begin });
}
