import type { Context } from "moleculer";
import { metersOf } from "../../metrics/index.ts";
import { callMetrics } from "../metrics.ts";

/** Counts a call whose answer was looked for in the cache. Calls that join one under way are not counted. */
export function countCached({ broker, service }: Context, isHit: boolean): void {
  const labels = { service: service?.fullName ?? "" };
  metersOf(broker)
    ?.counter(isHit ? callMetrics.cacheHits : callMetrics.cacheMisses, labels)
    .add();
}
