// Metrics of calls and of the bus.
import { defineMetrics, SECONDS_BUCKETS, SERVICE_NAMES } from "../kernel/index.ts";

const ACTIONS = "actions of the process's services";
/** Outcome of a call: `refused` is an answer of the domain, `unavailable` can be repeated, `failed` is a bug. */
const OUTCOMES = ["ok", "refused", "unavailable", "failed"] as const;
export type CallOutcome = (typeof OUTCOMES)[number];

export const callMetrics = defineMetrics("Calls", {
  calls: {
    type: "counter",
    name: "valence_action_calls_total",
    help: "Calls that actions of this process have answered, by what has become of them: `refused` by the domain, `unavailable` for now, `failed` by a bug",
    labels: { action: ACTIONS, outcome: OUTCOMES },
    seriesMax: 4_000,
  },
  duration: {
    type: "histogram",
    name: "valence_action_duration_seconds",
    help: "Time that actions of this process took, from the arrival of the call to its answer",
    labels: { action: ACTIONS },
    buckets: SECONDS_BUCKETS,
  },
  active: {
    type: "gauge",
    name: "valence_action_calls_active",
    help: "Calls that actions of this process are working on",
    labels: { service: SERVICE_NAMES },
  },
  retries: {
    type: "counter",
    name: "valence_call_retries_total",
    help: "Calls that were sent once more",
    labels: { service: "services that are called" },
  },
  retriesSpared: {
    type: "counter",
    name: "valence_call_retries_spared_total",
    help: "Failed calls that were not sent once more, since too many had been",
    labels: { service: "services that are called" },
  },
  circuitsOpen: {
    type: "gauge",
    name: "valence_circuits_open",
    help: "Circuits that are not closed: nodes that this one calls less, or not, after failures",
    labels: { service: "services that are called" },
  },
  circuitsOpened: {
    type: "counter",
    name: "valence_circuits_opened_total",
    help: "Circuits that have opened",
    labels: { service: "services that are called" },
  },
  cacheHits: {
    type: "counter",
    name: "valence_cacher_hits_total",
    help: "Answers of actions that came from the cache",
    labels: { service: SERVICE_NAMES },
  },
  cacheMisses: {
    type: "counter",
    name: "valence_cacher_misses_total",
    help: "Answers of actions that were not in the cache",
    labels: { service: SERVICE_NAMES },
  },
});

export const busMetrics = defineMetrics("The bus", {
  connected: {
    type: "gauge",
    name: "valence_bus_connected",
    help: "1 while this node is connected to the others; absent without a bus",
    over: "min",
  },
  nodes: {
    type: "gauge",
    name: "valence_bus_nodes_available",
    help: "Nodes that this one can reach, itself included",
    over: "min",
  },
  ready: {
    type: "gauge",
    name: "valence_service_ready",
    help: "1 while a service of this process is ready for calls",
    labels: { service: SERVICE_NAMES },
  },
  pending: {
    type: "gauge",
    name: "valence_bus_requests_pending",
    help: "Calls to other nodes that wait for an answer",
  },
  sent: { type: "counter", name: "valence_bus_sent_packets_total", help: "Packets sent to other nodes" },
  sentBytes: { type: "counter", name: "valence_bus_sent_bytes_total", help: "Bytes sent to other nodes" },
  received: { type: "counter", name: "valence_bus_received_packets_total", help: "Packets received from other nodes" },
  receivedBytes: { type: "counter", name: "valence_bus_received_bytes_total", help: "Bytes received from other nodes" },
  certificate: {
    type: "gauge",
    name: "valence_certificate_expiry_timestamp_seconds",
    help: "When a certificate ends that this process uses on the bus, in seconds since 1970",
    labels: { certificate: ["NATS_CERT", "NATS_CA"] },
    over: "min",
  },
  refused: {
    type: "counter",
    name: "valence_bus_refused_total",
    help: "Packets and endpoints that were refused: forged, or of a node that may not",
    labels: { reason: "reasons that `broker/identity` gives" },
  },
});
