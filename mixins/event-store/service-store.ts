import type { Service } from "moleculer";
import { answerState, leaveCheckpointsOf } from "../database/siblings.ts";
import { locationOf } from "../database/index.ts";
import { closeWithBroker } from "../database/mixin.ts";
import { dependsOn } from "../kernel/index.ts";
import { metersOf } from "../metrics/index.ts";
import type { EventStore } from "./event-store.ts";
import type { CommitObserver } from "./group-commit.ts";
import { storeMetrics } from "./metrics.ts";
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
  const observer = measuring(service);
  const opening = openEventStore(locationOf(service.broker, service.name), {
    ...(observer && { onCommit: observer }),
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

function measuring({ broker, name: service }: Service): CommitObserver | undefined {
  const meters = metersOf(broker);
  if (!meters) return undefined;
  const seconds = meters.histogram(storeMetrics.commitSeconds, { service });
  const batch = meters.histogram(storeMetrics.batch, { service });
  const written = meters.counter(storeMetrics.events, { service });
  const verdicts = {
    ok: meters.counter(storeMetrics.appends, { service, verdict: "ok" }),
    conflict: meters.counter(storeMetrics.appends, { service, verdict: "conflict" }),
    duplicate: meters.counter(storeMetrics.appends, { service, verdict: "duplicate" }),
    fenced: meters.counter(storeMetrics.appends, { service, verdict: "fenced" }),
    failed: meters.counter(storeMetrics.appends, { service, verdict: "failed" }),
  };
  return commit => {
    seconds.observe(commit.ms / 1_000);
    if (commit.verdicts.length > 0) batch.observe(commit.verdicts.length);
    written.value += commit.events;
    for (const { kind } of commit.verdicts) verdicts[kind].value++;
  };
}
