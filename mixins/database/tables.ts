// Each mixin that keeps tables makes them and brings them up to date when its service starts. It says how when the
// service is created, so that the same can be done without a start: by `npm run migrate`, before a roll-out.
import type { Service, ServiceBroker } from "moleculer";

type Update = () => Promise<unknown>;
const updates = new WeakMap<Service, Update[]>();

/** `update` may run again and again, at once with others'. For a mixin's `created`. */
export function keepsTables(service: Service, update: Update): void {
  const known = updates.get(service);
  if (known) known.push(update);
  else updates.set(service, [update]);
}

/**
 * Brings all tables of a broker's services up to date, service by service, and closes the databases that it opened. The
 * broker has not started, and does not: no command, consumer or saga runs. `onDone` is told each service that keeps
 * tables.
 */
export async function updateTables(broker: ServiceBroker, onDone: (service: string) => void): Promise<void> {
  try {
    for (const service of broker.services) {
      const own = updates.get(service) ?? [];
      for (const update of own) await update();
      if (own.length > 0) onDone(service.name);
    }
  } finally {
    await broker.callMiddlewareHook("stopped", [broker], { reverse: true });
  }
}
