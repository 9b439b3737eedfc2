// Metrics of purges.
import { defineMetrics, SECONDS_BUCKETS, SERVICE_NAMES } from "../kernel/index.ts";

export const cdnMetrics = defineMetrics("Delivery network", {
  purges: {
    type: "counter",
    name: "valence_cdn_purges_total",
    help: "Requests to purge the network before the gateway, by what has become of them: `failed` ones are tried again",
    labels: { service: SERVICE_NAMES, outcome: ["sent", "failed"] },
  },
  duration: {
    type: "histogram",
    name: "valence_cdn_purge_seconds",
    help: "Time from a change to the end of the purge that makes it visible",
    labels: { service: SERVICE_NAMES },
    buckets: SECONDS_BUCKETS,
  },
  age: {
    type: "gauge",
    name: "valence_cdn_purge_age_seconds",
    help: "Age of the oldest change that the network has not been told of; 0 for none; whole of the database",
    labels: { service: SERVICE_NAMES },
    over: "max",
  },
});
