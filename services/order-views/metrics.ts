// Metrics of the order list.
import { defineMetrics } from "@valence/runtime/kernel";

export const orderListMetrics = defineMetrics("The order list", {
  orders: {
    type: "gauge",
    name: "valence_orders",
    help: "Orders that are in this status now, as the order list has them; whole of the database",
    labels: { status: ["placed", "stock_reserved", "paid", "confirmed", "shipped", "rejected", "cancelled"] },
    over: "max",
  },
});
