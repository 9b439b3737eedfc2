// Metrics of consumers, and of the relays that publish to JetStream or Kafka.
import { defineMetrics, SERVICE_NAMES } from "../kernel/index.ts";

const labels = { service: SERVICE_NAMES, consumer: "consumers of the service: its projections, reactors and sagas" };
const ingress = { service: SERVICE_NAMES, ingress: "ingresses of the service" };
const relay = { service: SERVICE_NAMES };

export const streamMetrics = defineMetrics("Streams", {
  lagEvents: {
    type: "gauge",
    name: "valence_consumer_lag_events",
    help: "Events that a consumer has not read yet; absent while an owner does not answer; whole of the database",
    labels,
    over: "max",
  },
  lagSeconds: {
    type: "gauge",
    name: "valence_consumer_lag_seconds",
    help: "Age of the newest event that a consumer has handled, while there are later ones; whole of the database",
    labels,
    over: "max",
  },
  deadLetters: {
    type: "gauge",
    name: "valence_dead_letters",
    help: "Streams whose events failed in a consumer and wait for a person; whole of the database",
    labels,
    over: "max",
  },
  retrying: {
    type: "gauge",
    name: "valence_consumer_retrying_streams",
    help: "Streams whose events failed in a consumer and are tried again; whole of the database",
    labels,
    over: "max",
  },
  full: {
    type: "gauge",
    name: "valence_consumer_full",
    help: "1 while so many streams have failed that the consumer reads no further",
    labels,
    over: "max",
  },
  stopped: {
    type: "gauge",
    name: "valence_consumer_stopped_sources",
    help: "Logs of which a consumer reads nothing, since its place is not in them: it waits for a person",
    labels,
    over: "max",
  },
  handled: {
    type: "counter",
    name: "valence_consumer_events_total",
    help: "Events that a consumer has handled since it was made; whole of the database",
    labels,
    over: "max",
  },
  partitions: {
    type: "gauge",
    name: "valence_consumer_partitions",
    help: "Partitions of a consumer that this process reads, of `PARTITIONS` in all",
    labels,
  },
  ingressMessages: {
    type: "counter",
    name: "valence_ingress_messages_total",
    help: "Attempts of this process at messages from outside, by outcome",
    labels: { ...ingress, outcome: "`done`, `set_aside` as a dead letter, `failed` and tried again" },
  },
  ingressLost: {
    type: "counter",
    name: "valence_ingress_lost_total",
    help: "Messages from outside that were removed from their topic before this process had read them",
    labels: ingress,
  },
  ingressPaused: {
    type: "gauge",
    name: "valence_ingress_paused",
    help: "1 while an operator has paused the ingress; absent where its bus is not configured",
    labels: ingress,
    over: "max",
  },
  partitionLag: {
    type: "gauge",
    name: "valence_consumer_partition_lag_events",
    help: "Events of all partitions that lie after the checkpoint of one that this process reads, so its node is the owner; absent while a database or an owner does not answer",
    labels: { ...labels, partition: "0 and up, `PARTITIONS` in all" },
    over: "max",
    // 64 partitions of 60 consumers.
    seriesMax: 4_000,
  },
  relayLagEvents: {
    type: "gauge",
    name: "valence_relay_lag_events",
    help: "Events that are committed and not yet published to the carrier's server; whole of the database",
    labels: relay,
    over: "max",
  },
  relayLagSeconds: {
    type: "gauge",
    name: "valence_relay_lag_seconds",
    help: "Time since the relay last had published everything; whole of the database",
    labels: relay,
    over: "max",
  },
  relayPartitions: {
    type: "gauge",
    name: "valence_relay_partitions",
    help: "Partitions of the service's log that this process publishes to the carrier's server, of `PARTITIONS` in all",
    labels: relay,
  },
  relayPartitionLag: {
    type: "gauge",
    name: "valence_relay_partition_lag_events",
    help: "Events of all partitions that lie after the place up to which a partition is published, which this process does, so its node is the owner",
    labels: { ...relay, partition: "0 and up, `PARTITIONS` in all" },
    over: "max",
    // 64 partitions of 20 services.
    seriesMax: 1_500,
  },
  relayPublished: {
    type: "counter",
    name: "valence_relay_published_total",
    help: "Events that this process has published to the carrier's server",
    labels: relay,
  },
  relayFailures: {
    type: "counter",
    name: "valence_relay_failures_total",
    help: "Times that a relay could not publish, and tried again",
    labels: relay,
  },
  carrierRedelivered: {
    type: "counter",
    name: "valence_carrier_redelivered_total",
    help: "Messages of JetStream that this process passed over, since it had their events: published or delivered again, or read from the log",
    labels: relay,
  },
  carrierGaps: {
    type: "counter",
    name: "valence_carrier_gaps_total",
    help: "Times that messages of JetStream did not follow on those before, so that this process read the log instead",
    labels: relay,
  },
  carrierConnected: {
    type: "gauge",
    name: "valence_carrier_connected",
    help: "1 while the process is connected to JetStream or Kafka; absent where events are read from the log",
    over: "min",
  },
});
