// One stop, however often it is asked for, and one deadline for all of it.
//
// Moleculer's signal handler calls `broker.stop()` for each SIGTERM and SIGINT (moleculer 0.15.2,
// src/service-broker.js, `_closeFn`). The second run finds the gateway draining already, stops the services under it
// and exits, and every running request is reset.
//
// The gateway, each service's calls and the sagas wait for running work one after the other. Each with the whole
// time-out, they would take longer than an orchestrator's grace period.
import { setTimeout as sleep } from "node:timers/promises";
import type { Middleware, ServiceBroker } from "moleculer";
import { beginStop, stopTimeLeft } from "../../kernel/index.ts";

const limits = {
  /** Milliseconds for what follows after running work has ended: leases, pools, sockets. */
  closeMs: 5_000,
};

export const stopping: Middleware = {
  name: "Stopping",
  created(broker: ServiceBroker) {
    const stop = broker.stop.bind(broker);
    let running: Promise<void> | undefined;
    broker.stop = () => (running ??= inTime(broker, stop).finally(() => (running = undefined)));
    // Moleculer reads this again for each service that stops.
    const { tracking } = broker.options;
    if (tracking) Object.defineProperty(tracking, "shutdownTimeout", { get: () => stopTimeLeft(broker) });
  },
};

/** Stops within the deadline. What hangs (a database that does not come back) is given up, as by a kill. */
async function inTime(broker: ServiceBroker, stop: () => Promise<void>): Promise<void> {
  const end = beginStop(broker);
  const ended = new AbortController();
  const timeUp = sleep(stopTimeLeft(broker) + limits.closeMs, "late", { signal: ended.signal }).catch(() => {});
  try {
    const last = await Promise.race([stop(), timeUp]);
    if (last === "late") broker.logger.error("the stop takes too long: running work is given up");
  } finally {
    ended.abort();
    end();
  }
}
