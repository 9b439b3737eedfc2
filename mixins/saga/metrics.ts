// Metrics of sagas.
import { defineMetrics, SERVICE_NAMES } from "../kernel/index.ts";

const labels = { service: SERVICE_NAMES, state: ["running", "compensating", "stuck"] };

export const sagaMetrics = defineMetrics("Sagas", {
  open: {
    type: "gauge",
    name: "valence_sagas",
    help: "Sagas that have not ended, up to a page of them in each state; whole of the database",
    labels,
    over: "max",
  },
  oldest: {
    type: "gauge",
    name: "valence_saga_oldest_seconds",
    help: "Age of the oldest saga in this state; whole of the database",
    labels,
    over: "max",
  },
  ended: {
    type: "counter",
    name: "valence_sagas_ended_total",
    help: "Sagas that have ended, or were parked as stuck, in this process",
    labels: { service: SERVICE_NAMES, outcome: ["completed", "compensated", "stuck"] },
  },
});
