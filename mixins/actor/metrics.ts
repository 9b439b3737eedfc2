// Metrics of actors.
import { defineMetrics, SECONDS_BUCKETS, SERVICE_NAMES } from "../kernel/index.ts";

const labels = { service: SERVICE_NAMES };

export const actorMetrics = defineMetrics("Actors", {
  commands: {
    type: "counter",
    name: "valence_actor_commands_total",
    help: "Commands that actors have decided or refused",
    labels,
  },
  refusals: {
    type: "counter",
    name: "valence_actor_refusals_total",
    help: "Commands that the domain refused, by the code of the refusal",
    labels: { service: SERVICE_NAMES, code: "refusals of the service's contract" },
  },
  events: {
    type: "counter",
    name: "valence_actor_events_total",
    help: "Events that this process has committed, by type. Each event is counted by one process, once",
    labels: { service: SERVICE_NAMES, type: "events of the service's contract" },
  },
  conflicts: {
    type: "counter",
    name: "valence_actor_conflicts_total",
    help: "Commands that were decided again, since another node had written to the stream",
    labels,
  },
  duplicates: {
    type: "counter",
    name: "valence_actor_duplicates_total",
    help: "Repeated commands that got their first answer",
    labels,
  },
  resident: { type: "gauge", name: "valence_actor_resident", help: "Actors in memory", labels },
  activations: {
    type: "counter",
    name: "valence_actor_activations_total",
    help: "Actors that were loaded into memory",
    labels,
  },
  passivations: {
    type: "counter",
    name: "valence_actor_passivations_total",
    help: "Actors that have left memory",
    labels,
  },
  loadSeconds: {
    type: "histogram",
    name: "valence_actor_load_duration_seconds",
    help: "Time to load an actor: its snapshot, and the events after it",
    labels,
    buckets: SECONDS_BUCKETS,
  },
  mailboxDepth: {
    type: "gauge",
    name: "valence_actor_mailbox_commands",
    help: "Commands that wait in the mailboxes of all actors",
    labels,
  },
  mailboxDepthMax: {
    type: "gauge",
    name: "valence_actor_mailbox_commands_max",
    help: "Commands that wait in the fullest mailbox",
    labels,
    over: "max",
  },
  queueWait: {
    type: "histogram",
    name: "valence_actor_queue_wait_seconds",
    help: "Time that commands waited in a mailbox before they were decided",
    labels,
    buckets: SECONDS_BUCKETS,
  },
  timerPartitions: {
    type: "gauge",
    name: "valence_timer_partitions",
    help: "Partitions of a service's actors whose timers this process fires",
    labels,
  },
  quarantined: {
    type: "counter",
    name: "valence_actor_quarantined_total",
    help: "Streams that this process has put into quarantine, since their record is damaged",
    labels,
  },
});
