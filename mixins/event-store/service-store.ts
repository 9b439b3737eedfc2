import type { Service } from "moleculer";
import { answerState, leaveCheckpointsOf } from "../database/siblings.ts";
import { locationOf } from "../database/index.ts";
import { closeWithBroker } from "../database/mixin.ts";
import { dependsOn, METRICS } from "../kernel/index.ts";
import type { EventStore } from "./event-store.ts";
import type { CommitObserver } from "./group-commit.ts";
import { openEventStore } from "./open.ts";

export { BUCKETS } from "./buckets.ts";
export { STORE_INDEXES } from "./dialects/postgres/indexes.ts";
export { rebalance } from "./dialects/postgres/reshard.ts";
export { limits as STORE_LIMITS } from "./limits.ts";
export { openEventStore, type StoreOptions } from "./open.ts";

const stores = new WeakMap<Service, Promise<EventStore>>();

/**
 * The service's event store, on the service's own database: opened at the first request, closed with the broker after
 * all services have stopped.
 */
export function eventStoreOf(service: Service): Promise<EventStore> {
  const known = stores.get(service);
  if (known) return known;
  const opening = openEventStore(locationOf(service.broker, service.name), {
    onCommit: measuring(service),
    onWriterDeath: cause => service.logger.error("The event store's writer died and is started anew", cause),
    onOpening: message => service.logger.warn(message),
    onShard: ({ place, dialect }) =>
      dependsOn(service.broker, {
        kind: "store",
        name: `${service.name} at ${place}`,
        ask: () => answerState(place, dialect.poolUse(), () => dialect.now()),
      }),
  });
  stores.set(service, opening);
  leaveCheckpointsOf(service);
  closeWithBroker(service.broker, async () => (await opening).close());
  return opening;
}

function measuring({ broker, name: service }: Service): CommitObserver {
  const { metrics } = broker;
  if (!metrics) return () => {};
  const histogram = (name: string, buckets: number[]): void => {
    if (!metrics.getMetric(name)) metrics.register({ type: "histogram", name, labelNames: ["service"], buckets });
  };
  histogram(METRICS.commitSeconds, [0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1]);
  histogram(METRICS.commitBatch, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
  return ({ appends, ms }) => {
    metrics.observe(METRICS.commitSeconds, ms / 1_000, { service });
    metrics.observe(METRICS.commitBatch, appends, { service });
  };
}
