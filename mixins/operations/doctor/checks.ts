// Every check of the doctor, once: the page docs/doctor.md is written from this table, a finding has one of these names, and
// only a check that says here what its FAIL means may give one.

interface Check {
  /** What it looks at, as the rest of "whether …" or as nouns. */
  readonly looks: string;
  /** What a FAIL means. Absent: the check warns at most. */
  readonly fails?: string;
  /** Only with `--deep`. */
  readonly isDeep?: true;
  /** Only in the running system, `ops.doctor`: other nodes are asked. */
  readonly isRunning?: true;
}

/** The checks by what they examine. */
export const CHECKS = {
  "a service": {
    database: {
      looks: "whether its database opens; a file that was copied without its WAL",
      fails: "it cannot be opened, or is such a copy",
    },
    lag: {
      looks: "how far each consumer is behind, in events and time, and whether its checkpoint is in that log",
      fails: "the checkpoint is not in the log, or the oldest event waits for more than 10 minutes",
    },
    parked: {
      looks: "parked streams and dead letters",
      fails: "streams are parked, or a consumer reads no further: they wait for a person",
    },
    quarantine: { looks: "streams whose record cannot be read", fails: "there are some: their commands are refused" },
    sagas: { looks: "stuck sagas, and open ones that nobody drives", fails: "some are stuck" },
    audit: {
      looks: "whether the audit is verified and signed, and its checkpoints are in `AUDIT_ANCHOR`",
      fails: "records wait for a checkpoint for an hour, or checkpoints for their second place for a quarter of one",
    },
    mails: {
      looks: "mails that wait, and that were given up",
      fails: "the server does not take some for an hour, or nobody sends what is due",
    },
    gaps: { looks: "gaps in streams", fails: "streams lack events", isDeep: true },
    shapes: {
      looks: "events that are not as today's contract has them",
      fails: "there are some",
      isDeep: true,
    },
  },
  "a service on Postgres": {
    shards: { looks: "whether the databases are the whole store", fails: "one is missing, twice there, or another's" },
    buckets: { looks: "whether each bucket has one owner", fails: "some are sealed, or have none or several" },
    indexes: {
      looks: "indexes that are missing or not valid",
      fails: "a table, or an index that keeps something unique, is missing",
    },
    replica: {
      looks: "whether the replica is a standby of this primary, and how far behind",
      fails: "it is none of it",
    },
    log: { looks: "a log restored from a dump", fails: "no start has stamped its events yet" },
  },
  "a Postgres server": {
    visibility: { looks: "whether the user sees the sessions of others" },
    durability: {
      looks: "`fsync`, `full_page_writes`, `synchronous_commit`, and whether it is a primary",
      fails: "one is off, or it is a standby: what was acknowledged can be lost",
    },
    standbys: {
      looks: "standbys that are only asynchronous",
      fails: "commits wait for a synchronous one that is not connected",
    },
    transactions: {
      looks: "transactions that hold up the readers of the log, in any database, and prepared ones",
      fails: "one with writes is open for more than 30 s",
    },
    slots: { looks: "replication slots that keep WAL or dead rows" },
    connections: {
      looks: "connections that are open, and what the pools may open",
      fails: "95 % of them are open",
    },
    waiting: { looks: "sessions that wait for a lock, and for whose" },
    clock: { looks: "its clock against this machine's" },
  },
  "a SQLite file": {
    quick_check: { looks: "whether it is whole", fails: "it is damaged" },
    wal: { looks: "the size of its WAL" },
    modes: { looks: "whether other users of the machine can read it" },
  },
  "NATS, where there is one": {
    bus: { looks: "whether it answers", fails: "it cannot be reached" },
    identity: {
      looks: "whether nodes prove who they are (`CLUSTER_KEYS`)",
      fails: "with `NODE_ENV=production`: they do not",
    },
    access: {
      looks: "whether it asks for users, and Redis for a password",
      fails: "with `NODE_ENV=production`: anybody is let in",
    },
    streams: {
      looks:
        "settings of JetStream's streams that lose messages: memory storage, one replica in a cluster, a short age, one " +
        "that refuses what is new when it is full, none at all. Events are not lost by them: consumers read the log",
    },
  },
  "Kafka, where it carries the events": {
    kafka: { looks: "whether it answers and lets this user in; automatic creation of topics" },
    topics: {
      looks:
        "settings of topics that lose records, or stop publishing: fewer than three copies on three brokers, " +
        "`min.insync.replicas` of 1 or of all, unclean elections of leaders, compaction, a short retention; partitions " +
        "without a leader, and copies out of sync. Events are not lost by them: consumers read the log",
    },
  },
  "Redis, where there is one": {
    redis: { looks: "whether it answers, and takes writes", fails: "it cannot be reached, or refuses writes" },
    eviction: { looks: "whether it removes what is still needed when its memory is full" },
    persistence: { looks: "whether a restart of it forgets everything" },
  },
  "the configuration": {
    passwords: {
      looks: "passwords and secrets that are examples or easy to guess, in URLs too",
      fails: "with `NODE_ENV=production`: there are some",
    },
    failpoints: { looks: "`FAILPOINTS`", fails: "with `NODE_ENV=production`: it is set" },
    address: {
      looks: "whether `PUBLIC_URL` is there, and https",
      fails: "with `NODE_ENV=production`: it is plain HTTP on another machine",
    },
    origins: { looks: "`ALLOWED_ORIGINS` with plain HTTP" },
    proxies: { looks: "`TRUSTED_PROXIES`: more than there can be, or none before an https address" },
    rates: { looks: "`RATE_LIMIT_PERCENT` that is off or very high" },
    sharing: {
      looks: "services on SQLite in a cluster",
      fails: "in the running system: one runs on several machines, each with a file of its own",
    },
  },
  "a node": {
    certificates: {
      looks:
        "the files of `NATS_CA`, `NATS_CERT`, `KAFKA_CA`, `KAFKA_CERT`, and of `sslrootcert` and `sslcert` in URLs: 14 days before their end",
      fails: "one has expired, or is not valid yet",
    },
    disk: {
      looks: "free space under embedded databases: less than 10 % or 1 GB",
      fails: "less than 3 % or 256 MB",
    },
    skew: { looks: "its clock against the others'", fails: "it is off by more than 30 s", isRunning: true },
    nodes: {
      looks: "whether it answers the doctor in time",
      fails: "it does not",
      isRunning: true,
    },
  },
} as const satisfies Record<string, Record<string, Check>>;

type Groups = typeof CHECKS;
type Flat = { [G in keyof Groups]: { [N in keyof Groups[G]]: [N, Groups[G][N]] }[keyof Groups[G]] }[keyof Groups];
export type CheckName = Flat[0];
/** A check that may FAIL. */
export type FailingCheck = Extract<Flat, [unknown, { fails: string }]>[0];

/** The page about the checks. */
export function doctorPage(): string {
  const groups = Object.entries(CHECKS).map(([of, checks]) => {
    const rows = Object.entries<Check>(checks).map(([name, { looks, fails = "—", isDeep, isRunning }]) => {
      const where = isDeep ? ", only with `--deep`" : isRunning ? ", only in the running system" : "";
      return `| \`${name}\` | ${looks}${where} | ${fails} |`;
    });
    return [`## Of ${of}`, "", "| check | looks at | FAIL |", "| --- | --- | --- |", ...rows, ""].join("\n");
  });
  return [
    "# The checks of the doctor",
    "",
    "<!-- Written by `npx valence docs` from mixins/operations/doctor/checks.ts. Change that. -->",
    "",
    "For those who read its lines, and for alerts: a FAIL means that acknowledged records are at risk, or that something stands",
    "still until a person acts. A check that cannot be made is a FAIL too. Each line says what to do.",
    "",
    ...groups,
  ].join("\n");
}
