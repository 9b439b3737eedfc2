// Metrics of the business, counted by the process that commits the event: each order once, however many nodes there are.
import { defineMetrics } from "@valence/runtime/kernel";

export const orderMetrics = defineMetrics("Orders", {
  orders: {
    type: "counter",
    name: "valence_orders_total",
    help: "Orders that have come into this status",
    labels: { status: ["placed", "stock_reserved", "paid", "confirmed", "shipped", "rejected", "cancelled"] },
  },
  revenue: {
    type: "counter",
    name: "valence_orders_revenue_minor_total",
    help: "Totals of confirmed orders, in the currency's minor unit (cents)",
    labels: { currency: "currencies of the catalog (ISO 4217)" },
    seriesMax: 20,
  },
  refunded: {
    type: "counter",
    name: "valence_orders_refund_requested_minor_total",
    help: "Amounts that are to be given back, in the currency's minor unit (cents)",
    labels: { currency: "currencies of the catalog (ISO 4217)" },
    seriesMax: 20,
  },
  rejected: {
    type: "counter",
    name: "valence_orders_rejected_total",
    help: "Orders that were rejected, by the code of the reason",
    labels: { reason: ["OUT_OF_STOCK", "STOCK_NOT_FOUND", "PAYMENT_DECLINED", "PAYMENT_VOIDED", "PAYMENT_EXPIRED"] },
  },
});
