/** Limits of a consumer. A consumer may have its own for any of them. */
export const STREAM_LIMITS = {
  /** Events read, handled and committed at once. 500 block the event loop for a few milliseconds. */
  batch: 500,
  /** Milliseconds after its last renewal until the holder of a lease counts as dead. */
  leaseMs: 6_000,
  /** Milliseconds between two looks for the lease, and for the owners of event types. */
  lookMs: 1_000,
  /** Streams whose events a reactor handles side by side. */
  streamsAtOnce: 64,
  /**
   * Milliseconds that a reactor may take for one event, its calls included: three calls at the default time-out. A longer
   * one is a failed attempt (`REACTION_TOO_LONG`), since the events of a batch wait for each other.
   */
  reactMs: 30_000,
  /** Attempts at an event, the first included, that are charged to it until its stream is parked. */
  attempts: 5,
  /** Milliseconds before the first retry, doubled with each further one up to the maximum. */
  retryMinMs: 100,
  retryMaxMs: 30_000,
  /** Failed streams retried at once, and dead letters of each. */
  retriesAtOnce: 64,
  lettersAtOnce: 50,
  /** Parked streams a second that go back to work as a group or after a deploy: live events must not wait behind them. */
  unparkedPerSecond: 50,
  /** Releases remembered of a parked stream, which do not try it again: deploys may go back and forth among them. */
  releasesKept: 8,
  /**
   * Failed streams, retrying or parked, of one source at which the consumer stops reading and only retries: when everything
   * fails (a called service is down, a fold is wrong) the log must not move into the dead-letter table.
   */
  failedStreamsMax: 1_000,
  /** Largest version gap that is repaired by reading the owner. A larger one means another log: throws `LOG_HOLE`. */
  gapEventsMax: 1_000,
  /** Milliseconds between two looks whether a cursor that is not in the log is there again, or was reset. */
  notInLogMs: 5_000,
  /** Milliseconds between two log lines while it is not. */
  tellMs: 60_000,
  /** Milliseconds for which a measurement of the lag is kept, however many scrapes there are. */
  metricsKeptMs: 5_000,
  /** Milliseconds within which the owners must tell how far their logs are. */
  metricsReadMs: 2_000,
  /** Milliseconds that a consumer's database may take to tell where it stands; afterwards its last place has to do. Half of the above. */
  statusReadMs: 1_000,
};
export type StreamLimits = typeof STREAM_LIMITS;
