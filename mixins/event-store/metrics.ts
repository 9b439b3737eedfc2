// Metrics of event stores.
import { defineMetrics, SECONDS_BUCKETS, SERVICE_NAMES } from "../kernel/index.ts";

const labels = { service: SERVICE_NAMES };

export const storeMetrics = defineMetrics("Event stores", {
  commitSeconds: {
    type: "histogram",
    name: "valence_store_commit_duration_seconds",
    help: "Time to commit a batch of appends",
    labels,
    buckets: [0.0005, ...SECONDS_BUCKETS],
  },
  batch: {
    type: "histogram",
    name: "valence_store_commit_appends",
    help: "Appends in a batch",
    labels,
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
  },
  appends: {
    type: "counter",
    name: "valence_store_appends_total",
    help: "Appends by their verdict: `conflict` and `duplicate` wrote nothing, `fenced` met a bucket that has moved, `failed` a database that is away",
    labels: { service: SERVICE_NAMES, verdict: ["ok", "conflict", "duplicate", "fenced", "failed"] },
  },
  events: { type: "counter", name: "valence_store_events_total", help: "Events written", labels },
  quarantine: {
    type: "gauge",
    name: "valence_store_quarantined_streams",
    help: "Streams in quarantine, up to a page of them; whole of the database",
    labels,
    over: "max",
  },
  timersLate: {
    type: "gauge",
    name: "valence_timers_late",
    help: "Durable timers that were due more than 10 s ago, up to a page of them; whole of the database",
    labels,
    over: "max",
  },
  timersLateSeconds: {
    type: "gauge",
    name: "valence_timers_late_seconds",
    help: "Time since the oldest unanswered timer was due; whole of the database",
    labels,
    over: "max",
  },
});
