// What a process is configured with, for operators: the internal service `$configuration` of every node, which `ops.configuration`
// asks. Secrets never leave the process.
import type { ActionSchema, Middleware, ServiceBroker } from "moleculer";
import { configurationOf, type Environment } from "../kernel/index.ts";

export const nodeConfiguration: Middleware = {
  name: "NodeConfiguration",
  async starting(broker: ServiceBroker) {
    const asked = { visibility: "public", permission: "operations:read", callers: ["ops"] } as const;
    const { valence } = broker.options as { valence?: Environment };
    broker.createService({
      name: "$configuration",
      actions: {
        list: { ...asked, handler: () => ({ settings: valence ? configurationOf(valence) : [] }) } as ActionSchema,
      },
    });
  },
};
