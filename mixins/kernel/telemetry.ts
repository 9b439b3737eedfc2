/** Every metric of the house, once. Prometheus conventions: base units, `_total` for counters. */
export const METRICS = {
  commandsTotal: "valence.actor.commands.total",
  conflictsTotal: "valence.actor.conflicts.total",
  activations: "valence.actor.activations",
  passivationsTotal: "valence.actor.passivations.total",
  commitSeconds: "valence.store.commit.seconds",
  commitBatch: "valence.store.commit.batch",
  poolWaiting: "valence.database.pool.waiting",
  poolWaitSeconds: "valence.database.pool.wait.seconds",
  replicaUsable: "valence.database.replica.usable",
  replicaLagSeconds: "valence.database.replica.lag.seconds",
  /** Circuits that are not closed, and openings, by service and by the node that is called. */
  circuitsOpen: "valence.circuits.open",
  circuitsOpenedTotal: "valence.circuits.opened.total",
  /** Calls that were sent once more, and calls that were not for want of budget, by service. */
  retriesTotal: "valence.retries.total",
  retriesSparedTotal: "valence.retries.spared.total",
  redisUp: "valence.redis.up",
  quarantinedTotal: "valence.store.quarantined.total",
  consumerLagEvents: "valence.consumer.lag.events",
  consumerLagSeconds: "valence.consumer.lag.seconds",
  consumerStopped: "valence.consumer.stopped",
  deadLetters: "valence.consumer.dead-letters",
  /** 1 while so many streams have failed that the consumer reads no further. */
  consumerFull: "valence.consumer.full",
  sagasOpen: "valence.saga.open",
  sagasStuck: "valence.saga.stuck",
  /** Requests over a rate limit, by class. */
  rateLimitedTotal: "valence.http.rate-limited.total",
  /** Packets and endpoints of the bus that were refused, by reason: forged, or of a node that may not. */
  busRefusedTotal: "valence.bus.refused.total",
  /** Requests that an outside company refused because of our settings: credentials, address. */
  outsideRefusedTotal: "valence.outside.refused.total",
  /** Spans of traces, by what has become of them. Only where traces are sent. */
  spansTotal: "valence.tracing.spans.total",
} as const;
