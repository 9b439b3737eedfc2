// The databases of the services, and Redis.
import { lines, number, type Dashboard } from "./grafana.ts";
import { JOBS, max, min, quantile, rate, sum } from "./queries.ts";

export const databases: Dashboard = {
  uid: "databases",
  title: "Databases",
  description: "Does each service reach its database, are there connections, is there room?",
  variables: [JOBS],
  rows: [
    {
      title: "There",
      panels: [
        lines({
          title: "Databases",
          description: "1 while the database of a service answers all processes that ask it.",
          unit: "bool_yes_no",
          series: [{ expr: min("valence_database_up", "service"), legend: "{{service}}" }],
        }),
        lines({
          title: "Redis",
          description:
            "1 while all processes reach Redis. Without it sessions and carts are away; limits are counted in memory.",
          unit: "bool_yes_no",
          series: [{ expr: min("valence_redis_up", "instance"), legend: "{{instance}}" }],
        }),
        lines({
          title: "Failed appends",
          description: "Appends a second that failed since the database was away or refused them.",
          unit: "ops",
          series: [{ expr: rate("valence_store_appends_total", "service", 'verdict="failed"'), legend: "{{service}}" }],
          badFrom: 0.001,
        }),
        lines({
          title: "Audit without a signature",
          description:
            "Time for which records have waited for a signed checkpoint. It should stay about AUDIT_CHECKPOINT_SECONDS.",
          unit: "s",
          series: [{ expr: max("valence_audit_unsigned_seconds", "service"), legend: "{{service}}" }],
        }),
        lines({
          title: "Audit without a copy",
          description: "Signed checkpoints that wait for the anchor, the copy in a second place.",
          unit: "short",
          series: [{ expr: max("valence_audit_unanchored_checkpoints", "service"), legend: "{{service}}" }],
        }),
      ],
    },
    {
      title: "Connections",
      panels: [
        lines({
          title: "Used connections",
          description: "Part of each pool that is in use, over all processes. At 1 callers wait.",
          unit: "percentunit",
          series: [
            {
              expr: `${sum("valence_database_pool_connections", "service", 'state="used"')} / ${sum("valence_database_pool_connections_max", "service")}`,
              legend: "{{service}}",
            },
          ],
          badFrom: 0.95,
        }),
        lines({
          title: "Callers that wait",
          description: "Callers that wait for a connection of the pool at this moment.",
          unit: "short",
          series: [{ expr: sum("valence_database_pool_waiting", "service"), legend: "{{service}}" }],
        }),
        lines({
          title: "Waiting for a connection",
          description: "99th percentile of the time until a caller had a connection.",
          unit: "s",
          series: [{ expr: quantile(0.99, "valence_database_pool_wait_seconds", "service"), legend: "{{service}}" }],
          badFrom: 0.5,
        }),
      ],
    },
    {
      title: "Writing",
      panels: [
        lines({
          title: "Time of a commit",
          description: "99th percentile of a batch of appends: the database's disk, mostly.",
          unit: "s",
          series: [{ expr: quantile(0.99, "valence_store_commit_duration_seconds", "service"), legend: "{{service}}" }],
          badFrom: 0.5,
        }),
        lines({
          title: "Oldest transaction",
          description:
            "Readers of the logs do not pass an open transaction, of whatever database of the server. Postgres only.",
          unit: "s",
          series: [{ expr: max("valence_database_oldest_transaction_seconds", "service"), legend: "{{service}}" }],
          warnFrom: 5,
          badFrom: 30,
        }),
        lines({
          title: "Events written",
          description: "Events a second that each store has committed.",
          unit: "eps",
          series: [{ expr: rate("valence_store_events_total", "service"), legend: "{{service}}" }],
        }),
      ],
    },
    {
      title: "Replicas",
      panels: [
        lines({
          title: "Lag of replicas",
          description:
            "How far a read replica is behind. Past two seconds it is not read, and the primary has its load too.",
          unit: "s",
          series: [{ expr: max("valence_database_replica_lag_seconds", "service"), legend: "{{service}}" }],
          badFrom: 2,
        }),
        lines({
          title: "Replicas that are read",
          description: "1 while the replica is read from by all processes.",
          unit: "bool_yes_no",
          series: [{ expr: min("valence_database_replica_usable", "service"), legend: "{{service}}" }],
        }),
      ],
    },
    {
      title: "Room",
      panels: [
        lines({
          title: "Size of the databases",
          description:
            "With the write-ahead log where it is a file. `valence ops archive` moves what has ended to the cold part.",
          unit: "bytes",
          series: [{ expr: max("valence_database_size_bytes", "service"), legend: "{{service}}" }],
          width: 16,
        }),
        number({
          title: "Free disk",
          description: "Free part of the disk of DATA_DIR, of the process that has least.",
          unit: "percentunit",
          series: [
            {
              expr: `min(${min("valence_disk_free_bytes", "instance")} / ${min("valence_disk_size_bytes", "instance")})`,
              legend: "free",
            },
          ],
          width: 8,
        }),
      ],
    },
  ],
};
