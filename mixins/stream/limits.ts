/** Bounds of a consumer. */
export const STREAM_LIMITS = {
  /** Events read, applied and committed at once. 500 block the loop for a few milliseconds. */
  batch: 500,
  /** Milliseconds after its last sign of life until a consumer is taken for dead. */
  leaseMs: 6_000,
  /** Milliseconds between two looks for the lease, and for the owners of event types. */
  lookMs: 1_000,
  /** Streams whose events a reactor handles side by side. */
  streamsAtOnce: 64,
  /**
   * Milliseconds that a reactor may take for one event, its calls included: three of them at the default time-out. What
   * takes longer counts as an attempt that failed, since the events of a batch wait for each other.
   */
  reactMs: 30_000,
  /** Times that a poison event is tried, with backoff, until its stream is parked. */
  attempts: 5,
  /** Milliseconds before the first retry, doubled up to the second. */
  retryMinMs: 100,
  retryMaxMs: 30_000,
  /** Streams retried at once, and events of each. */
  retriesAtOnce: 64,
  lettersAtOnce: 50,
  /** Parked streams that go back to work in a second, of a group or after a deploy: beside live events, not before them. */
  unparkedPerSecond: 50,
  /** Releases by which a parked stream has been tried that are remembered: those among which deploys go back and forth. */
  releasesKept: 8,
  /**
   * Streams set aside until the consumer stops reading and only retries: when everything fails (a called service is
   * down, a fold is wrong) the log must not move into the dead-letter table.
   */
  failedStreamsMax: 1_000,
  /** Versions missing at once in one stream. More is no hole but another log: an error for people. */
  gapEventsMax: 1_000,
  /** Milliseconds between two looks whether a place that is not in the log is there by now, or was reset. */
  notInLogMs: 5_000,
  /** Milliseconds between two lines in the log while it is not. */
  tellMs: 60_000,
  /** Milliseconds between two measurements of the lag, when metrics are on. */
  metricsMs: 5_000,
};
export type StreamLimits = typeof STREAM_LIMITS;
