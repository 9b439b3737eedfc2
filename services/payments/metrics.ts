// Metrics of payments.
import { defineMetrics } from "@valence/runtime/kernel";

export const paymentMetrics = defineMetrics("Payments", {
  providerRefused: {
    type: "counter",
    name: "valence_payments_provider_refused_total",
    help: "Requests that the payment provider refused because of our settings: credentials, address, currency",
  },
});
