// How a broker stops: what ends before its services, and how long it may still wait for the work at hand.
import { nodeEnvironment } from "./node-environment.ts";

/** When it must be over, on the monotonic clock. */
const deadlines = new WeakMap<object, number>();

/** The time begins to run. Answers what ends it: a broker can be started again. */
export function beginStop(broker: { options: object }): () => void {
  deadlines.set(broker, performance.now() + nodeEnvironment.of(broker).SHUTDOWN_TIMEOUT_MS);
  return () => void deadlines.delete(broker);
}

/** Whether the broker is stopping: what fails from now on may fail because of that. */
export const isStopping = (broker: object): boolean => deadlines.has(broker);

/** Milliseconds that are left of `SHUTDOWN_TIMEOUT_MS`: all of them until a stop begins, 0 when they are over. */
export function stopTimeLeft(broker: { options: object }): number {
  const by = deadlines.get(broker);
  return by === undefined ? nodeEnvironment.of(broker).SHUTDOWN_TIMEOUT_MS : Math.max(0, by - performance.now());
}

/**
 * `begin` runs as the broker begins to stop, and is waited for, before any service stops: of who serves others, since the
 * work at hand still needs all services; of who calls on its own account, since the broker waits for its calls, and while
 * events keep coming there would always be some.
 */
export function stopsFirst(
  { fullName, broker }: { fullName: string; broker: { middlewares: { add(middleware: object): void } } },
  begin: () => Promise<void>,
): void {
  broker.middlewares.add({ name: `${fullName}:stops-first`, stopping: begin });
}
