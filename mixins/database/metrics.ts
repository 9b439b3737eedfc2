// Metrics of databases, one for each service.
import { defineMetrics, SERVICE_NAMES } from "../kernel/index.ts";

const labels = { service: SERVICE_NAMES };

export const databaseMetrics = defineMetrics("Databases", {
  up: {
    type: "gauge",
    name: "valence_database_up",
    help: "1 if the database answered at the scrape",
    labels,
    over: "min",
  },
  connections: {
    type: "gauge",
    name: "valence_database_pool_connections",
    help: "Connections of the pool",
    labels: { service: SERVICE_NAMES, state: ["used", "free"] },
  },
  connectionsMax: {
    type: "gauge",
    name: "valence_database_pool_connections_max",
    help: "Connections that the pool may have",
    labels,
  },
  waiting: {
    type: "gauge",
    name: "valence_database_pool_waiting",
    help: "Callers that wait for a connection of the pool",
    labels,
  },
  waitSeconds: {
    type: "histogram",
    name: "valence_database_pool_wait_seconds",
    help: "Time that callers waited for a connection of the pool",
    labels,
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
  },
  replicaUsable: {
    type: "gauge",
    name: "valence_database_replica_usable",
    help: "1 while the replica is read from",
    labels,
    over: "min",
  },
  replicaLag: {
    type: "gauge",
    name: "valence_database_replica_lag_seconds",
    help: "Time by which the replica is behind",
    labels,
    over: "max",
  },
  size: {
    type: "gauge",
    name: "valence_database_size_bytes",
    help: "Size of the database, with its log where it is a file; whole of the database",
    labels,
    over: "max",
  },
  oldestTransaction: {
    type: "gauge",
    name: "valence_database_oldest_transaction_seconds",
    help: "Age of the oldest transaction of the server that has written: consumers do not read past it (Postgres only); whole of the server",
    labels,
    over: "max",
  },
  diskFree: { type: "gauge", name: "valence_disk_free_bytes", help: "Free bytes on the disk of DATA_DIR", over: "min" },
  diskSize: { type: "gauge", name: "valence_disk_size_bytes", help: "Size of the disk of DATA_DIR", over: "min" },
});
