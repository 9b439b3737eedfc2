// Metrics of mails.
import { defineMetrics, SERVICE_NAMES } from "../kernel/index.ts";

export const mailMetrics = defineMetrics("Mails", {
  mails: {
    type: "counter",
    name: "valence_mails_total",
    help: "Mails by what has become of them: `given_up` ones are not tried again, `postponed` ones are",
    labels: { service: SERVICE_NAMES, outcome: ["sent", "postponed", "given_up"] },
  },
  waiting: {
    type: "gauge",
    name: "valence_mails_waiting",
    help: "Mails that are due and not yet sent; whole of the database",
    labels: { service: SERVICE_NAMES },
    over: "max",
  },
});
