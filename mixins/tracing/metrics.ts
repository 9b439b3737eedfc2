// Metrics of traces.
import { defineMetrics } from "../kernel/index.ts";

export const tracingMetrics = defineMetrics("Traces", {
  spans: {
    type: "counter",
    name: "valence_trace_spans_total",
    help: "Spans by what has become of them: only `exported` ones have arrived; absent where nothing is traced",
    labels: { outcome: ["exported", "queue_full", "export_failed", "not_held"] },
  },
});
