// The log of one node: fields that its services' contracts mark as secret or personal are hidden in it, and its levels are shown to
// operations, and changed by them, through the internal service `$logs`.
import type { ActionSchema, Service, ServiceBroker } from "moleculer";
import type { ListedService } from "../../contract/index.ts";
import { hideInLogs, hidePersonalInLogs, type LevelChange } from "../../log/index.ts";
import { levelsOf } from "../../log/mixin.ts";

export const logLevels = (broker: ServiceBroker) => ({
  name: "LogLevels",

  serviceCreating(_service: Service, { metadata }: { metadata?: ListedService["metadata"] }) {
    hideInLogs(metadata?.secrets ?? []);
    hidePersonalInLogs(metadata?.personal ?? []);
  },

  async starting() {
    broker.createService({
      name: "$logs",
      actions: {
        levels: {
          visibility: "public",
          permission: "operations:read",
          handler: () => ({ modules: levelsOf(broker)?.list() ?? [] }),
        } as ActionSchema,
        setLevel: {
          visibility: "public",
          permission: "operations:write",
          handler: ({ params }) => ({ modules: levelsOf(broker)?.set(params as LevelChange) ?? [] }),
        } as ActionSchema,
      },
    });
  },
});
