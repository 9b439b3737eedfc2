// Metrics of the process itself. Those of `nodejs_…` and `process_…` are made by prom-client.
import { defineMetrics, SECONDS_BUCKETS } from "../kernel/index.ts";

/** Buckets of prom-client for pauses of the garbage collector. */
export const GC_BUCKETS: readonly number[] = [0.001, 0.01, 0.1, 1, 2, 5];

export const processMetrics = defineMetrics("The process", {
  info: {
    type: "gauge",
    name: "valence_runtime_info",
    help: "Always 1; its label tells the release of the runtime",
    labels: { version: "the version of the runtime" },
    over: "max",
  },
  cpuUser: { type: "counter", name: "process_cpu_user_seconds_total", help: "CPU time in user mode" },
  cpuSystem: { type: "counter", name: "process_cpu_system_seconds_total", help: "CPU time in the kernel" },
  cpu: { type: "counter", name: "process_cpu_seconds_total", help: "CPU time" },
  startTime: {
    type: "gauge",
    name: "process_start_time_seconds",
    help: "When the process began, in seconds since 1970",
    over: "max",
  },
  residentMemory: { type: "gauge", name: "process_resident_memory_bytes", help: "Memory of the process in RAM" },
  virtualMemory: { type: "gauge", name: "process_virtual_memory_bytes", help: "Virtual memory of the process" },
  dataMemory: { type: "gauge", name: "process_heap_bytes", help: "Size of the data segment of the process" },
  openFiles: { type: "gauge", name: "process_open_fds", help: "Open files and sockets" },
  openFilesMax: {
    type: "gauge",
    name: "process_max_fds",
    help: "Open files and sockets that a process may have",
    over: "min",
  },
  loopDelay: {
    type: "gauge",
    name: "nodejs_eventloop_lag_seconds",
    help: "Delay of the event loop at the scrape",
    over: "max",
  },
  loopDelayMin: {
    type: "gauge",
    name: "nodejs_eventloop_lag_min_seconds",
    help: "Least delay of the event loop since the last scrape, with the 10 ms between two measurements",
    over: "min",
  },
  loopDelayMax: {
    type: "gauge",
    name: "nodejs_eventloop_lag_max_seconds",
    help: "Largest delay of the event loop since the last scrape, with the 10 ms between two measurements",
    over: "max",
  },
  loopDelayMean: {
    type: "gauge",
    name: "nodejs_eventloop_lag_mean_seconds",
    help: "Mean delay of the event loop since the last scrape, with the 10 ms between two measurements",
    over: "max",
  },
  loopDelayDeviation: {
    type: "gauge",
    name: "nodejs_eventloop_lag_stddev_seconds",
    help: "Standard deviation of the delay of the event loop",
    over: "max",
  },
  loopDelayP50: {
    type: "gauge",
    name: "nodejs_eventloop_lag_p50_seconds",
    help: "Median delay of the event loop since the last scrape, with the 10 ms between two measurements",
    over: "max",
  },
  loopDelayP90: {
    type: "gauge",
    name: "nodejs_eventloop_lag_p90_seconds",
    help: "90th percentile of the delay of the event loop since the last scrape, with the 10 ms between two measurements",
    over: "max",
  },
  loopDelayP99: {
    type: "gauge",
    name: "nodejs_eventloop_lag_p99_seconds",
    help: "99th percentile of the delay of the event loop since the last scrape, with the 10 ms between two measurements",
    over: "max",
  },
  heapTotal: { type: "gauge", name: "nodejs_heap_size_total_bytes", help: "Size of the JavaScript heap" },
  heapUsed: { type: "gauge", name: "nodejs_heap_size_used_bytes", help: "Used part of the JavaScript heap" },
  heapLimit: {
    type: "gauge",
    name: "valence_heap_limit_bytes",
    help: "Size at which the JavaScript heap is full and the process ends",
  },
  external: {
    type: "gauge",
    name: "nodejs_external_memory_bytes",
    help: "Memory outside of the heap that JavaScript objects hold",
  },
  spaceTotal: {
    type: "gauge",
    name: "nodejs_heap_space_size_total_bytes",
    help: "Size of a space of the heap",
    labels: { space: "the spaces of V8's heap" },
  },
  spaceUsed: {
    type: "gauge",
    name: "nodejs_heap_space_size_used_bytes",
    help: "Used part of a space of the heap",
    labels: { space: "the spaces of V8's heap" },
  },
  spaceFree: {
    type: "gauge",
    name: "nodejs_heap_space_size_available_bytes",
    help: "Free part of a space of the heap",
    labels: { space: "the spaces of V8's heap" },
  },
  version: {
    type: "gauge",
    name: "nodejs_version_info",
    help: "Always 1; its labels tell the version of Node",
    labels: { version: "Node's version", major: "its parts", minor: "its parts", patch: "its parts" },
    over: "max",
  },
  gc: {
    type: "histogram",
    name: "nodejs_gc_duration_seconds",
    help: "Pauses of the garbage collector",
    labels: { kind: ["major", "minor", "incremental", "weakcb"] },
    buckets: GC_BUCKETS,
  },
  scrapeErrors: {
    type: "counter",
    name: "valence_scrape_errors_total",
    help: "Values that a scrape could not have in time, such as those from a database that is away; they are missing from its answer",
    labels: { source: "parts of the runtime that read at a scrape" },
  },
  scrapeSeconds: {
    type: "histogram",
    name: "valence_scrape_duration_seconds",
    help: "Time that a scrape took in this process",
    buckets: SECONDS_BUCKETS,
  },
  series: { type: "gauge", name: "valence_metrics_series", help: "Combinations of labels that the process keeps" },
  overflow: {
    type: "counter",
    name: "valence_metrics_overflow_total",
    help: "Times that something was counted under `other`, or was left out, since its metric had as many combinations of labels as it may have",
  },
  workers: {
    type: "gauge",
    name: "valence_workers",
    help: "Workers of `valence start --workers` that run",
    over: "max",
  },
  workersDied: { type: "counter", name: "valence_workers_died_total", help: "Workers that died and were replaced" },
});
