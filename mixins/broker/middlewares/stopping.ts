// One stop, however often it is asked for, and one deadline for all of it.
//
// Moleculer's signal handler calls `broker.stop()` for each SIGTERM and SIGINT (moleculer 0.15.2, src/service-broker.js,
// `_closeFn`): the second run finds the gateway draining already, stops the services under it and exits, and every
// request at hand is reset. And whoever waits for work at hand (the gateway, each service's calls, sagas) would wait for
// the whole time-out, one after the other: together longer than an orchestrator's grace.
import { setTimeout as sleep } from "node:timers/promises";
import type { Middleware, ServiceBroker } from "moleculer";
import { beginStop, stopTimeLeft } from "../../kernel/index.ts";

const limits = {
  /** Milliseconds for what comes after the work at hand: leases, pools, sockets. */
  closeMs: 5_000,
};

export const stopping: Middleware = {
  name: "Stopping",
  created(broker: ServiceBroker) {
    const stop = broker.stop.bind(broker);
    let running: Promise<void> | undefined;
    broker.stop = () => (running ??= inTime(broker, stop).finally(() => (running = undefined)));
    // Moleculer reads it again for each service that stops.
    const { tracking } = broker.options;
    if (tracking) Object.defineProperty(tracking, "shutdownTimeout", { get: () => stopTimeLeft(broker) });
  },
};

/** What hangs (a database that does not come back) must not keep the process: it is given up, as by a kill. */
async function inTime(broker: ServiceBroker, stop: () => Promise<void>): Promise<void> {
  const end = beginStop(broker);
  const ended = new AbortController();
  const timeUp = sleep(stopTimeLeft(broker) + limits.closeMs, "late", { signal: ended.signal }).catch(() => {});
  try {
    const last = await Promise.race([stop(), timeUp]);
    if (last === "late") broker.logger.error("the stop takes too long: what is still at hand is given up");
  } finally {
    ended.abort();
    end();
  }
}
