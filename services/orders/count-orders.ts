// Counts what happens to orders, from the events that this process commits.
import type { StateOf } from "@valence/runtime/actor";
import type { Meters } from "@valence/runtime/metrics";
import type { contract } from "./contract.ts";
import { orderMetrics } from "./metrics.ts";

/** The events that bring an order into a status, which their names say. */
const STATUSES: ReadonlySet<string> = new Set(orderMetrics.orders.labels.status);
const statusOf = (type: string): string => type.slice("order.".length);

/** Counts one commit: the types of its events, and the order after them. */
type Counting = (types: readonly string[], order: StateOf<typeof contract>) => void;

export function countOrders(meters: Meters): Counting {
  meters.begin(orderMetrics.orders);
  meters.begin(orderMetrics.rejected);
  return (types, { total, reason = "", refunds = [] }) => {
    for (const type of types) {
      const status = statusOf(type);
      if (STATUSES.has(status)) meters.counter(orderMetrics.orders, { status }).add();
      if (type === "order.confirmed" && total)
        meters.counter(orderMetrics.revenue, { currency: total.currency }).add(total.amount);
      if (type === "order.rejected") meters.counter(orderMetrics.rejected, { reason }).add();
      const { amount } = refunds.at(-1) ?? {};
      if (type === "order.refund_requested" && amount)
        meters.counter(orderMetrics.refunded, { currency: amount.currency }).add(amount.amount);
    }
  };
}
