// Errors of metrics.
import { defineErrors } from "../kernel/index.ts";

export const metricsErrors = defineErrors({
  METRICS_INCOMPLETE: {
    status: 503,
    retryAfterMs: 5_000,
    says: "the supervisor of this machine's workers does not answer: a part of the metrics would look as if counters had fallen",
    todo: "scrape again; if it stays so, the supervisor hangs: restart it",
  },
});
