// One stop, however often it is asked for. Moleculer's signal handler calls `broker.stop()` for each SIGTERM and SIGINT
// (moleculer 0.15.2, src/service-broker.js, `_closeFn`): the second run finds the gateway draining already, stops the
// services under it and exits, and every request at hand is reset.
import type { Middleware, ServiceBroker } from "moleculer";

export const stopOnce: Middleware = {
  name: "StopOnce",
  created(broker: ServiceBroker) {
    const stop = broker.stop.bind(broker);
    let running: Promise<void> | undefined;
    broker.stop = () => (running ??= stop().finally(() => (running = undefined)));
  },
};
