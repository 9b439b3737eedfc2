// Metrics of webhooks.
import { defineMetrics, SERVICE_NAMES } from "../../kernel/index.ts";

export const outboundMetrics = defineMetrics("Webhooks", {
  deliveries: {
    type: "counter",
    name: "valence_webhook_deliveries_total",
    help: "Attempts to deliver a public event to a webhook, by what has become of them: `postponed` ones are tried again, `given_up` ones are not",
    labels: { service: SERVICE_NAMES, outcome: ["delivered", "postponed", "given_up"] },
  },
  waiting: {
    type: "gauge",
    name: "valence_webhook_deliveries_waiting",
    help: "Deliveries to active webhooks that are due and not yet sent; whole of the database",
    labels: { service: SERVICE_NAMES },
    over: "max",
  },
  disabled: {
    type: "gauge",
    name: "valence_webhooks_disabled",
    help: "Webhooks that were disabled since they failed for long, or answered 410; they get nothing until a person resumes them",
    labels: { service: SERVICE_NAMES },
    over: "max",
  },
});
