// A worker tells its supervisor that its services have started, and its metrics. Without a supervisor it does nothing.
import type { ServiceBroker } from "moleculer";
import { nodeEnvironment, type FromWorker } from "../kernel/index.ts";
import { tellSupervisor } from "../metrics/index.ts";

export const worker = (broker: ServiceBroker) => {
  let end = (): void => {};
  return {
    name: "Worker",
    created(): void {
      if (nodeEnvironment.of(broker).WORKER !== undefined) end = tellSupervisor(broker);
    },
    async started(): Promise<void> {
      process.send?.({ started: true } satisfies FromWorker);
    },
    async stopped(): Promise<void> {
      end();
    },
  };
};
