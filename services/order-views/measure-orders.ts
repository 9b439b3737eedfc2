// Tells at a scrape how many orders are in each status.
import type { ServiceBroker } from "moleculer";
import { seconds } from "@valence/runtime/kernel";
import { metersOf, reading, type Reading } from "@valence/runtime/metrics";
import type { StatusRow } from "./order-list.projection.ts";
import { orderListMetrics } from "./metrics.ts";

/** Milliseconds for which the numbers are told again. */
const KEPT_MS = seconds(15);

/** Reads the rows with the numbers from now on; none of them while the list is built anew: a gap is true, zeros are not. */
export function measureOrders(broker: ServiceBroker, rows: () => Promise<readonly StatusRow[]>): void {
  const read = () => rows().then(readingsOf, noneYet);
  metersOf(broker)?.read("orders", read, { keptMs: KEPT_MS });
}

function readingsOf(rows: readonly StatusRow[]): Reading[] {
  const orders = new Map(rows.map(row => [row.status, row.orders]));
  return orderListMetrics.orders.labels.status.map(status =>
    reading(orderListMetrics.orders, orders.get(status) ?? 0, { status }),
  );
}

function noneYet(error: Error & { readonly type?: string }): Reading[] {
  if (error.type === "NOT_CAUGHT_UP") return [];
  throw error;
}
