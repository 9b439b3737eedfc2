// Prints what the services of this process have announced, once all of them are ready. Of several workers only the
// first prints, since all announce the same.
import { setTimeout as sleep } from "node:timers/promises";
import type { Middleware, ServiceBroker } from "moleculer";
import { announcedText, isStopping, nodeEnvironment, takeAnnouncements, unreadyServices } from "../../kernel/index.ts";

const limits = {
  /** Milliseconds between two checks whether the services are ready. */
  lookMs: 20,
};

const printing = new WeakMap<ServiceBroker, Promise<void>>();

export const announcements: Middleware = {
  name: "Announcements",
  async started(broker: ServiceBroker) {
    const fail = (error: unknown) => broker.logger.error("the announcements cannot be printed:", error);
    // Not awaited: the start must not wait for data that a service fills in.
    printing.set(broker, print(broker).catch(fail));
  },
  /** Waits until the printed announcements are recorded as shown: that needs the services, which stop next. */
  async stopping(broker: ServiceBroker) {
    await printing.get(broker);
  },
};

async function print(broker: ServiceBroker): Promise<void> {
  const { WORKER = 1 } = nodeEnvironment.of(broker);
  if (WORKER !== 1) return;
  while (unreadyServices(broker).length > 0) {
    if (isStopping(broker)) return;
    await sleep(limits.lookMs);
  }
  const announced = takeAnnouncements(broker);
  // A broker without a logger belongs to a test or a script, and prints nothing.
  if (broker.options.logger !== false) process.stdout.write(announcedText(announced));
  for (const { shown } of announced) await shown?.();
}
