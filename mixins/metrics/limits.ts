/** Limits of metrics. */
export const limits = {
  /** Combinations of labels of one metric, unless it says otherwise. */
  seriesMax: 1_000,
  /** Characters of a label's value. */
  labelChars: 200,
  /** Milliseconds that a scrape waits for what it reads, such as counts of a database; what comes later is missing. */
  readMs: 1_000,
  /** Milliseconds for which such values are kept, however many scrapes there are. */
  keptMs: 5_000,
  /** Milliseconds that the supervisor waits for the metrics of its workers, and a worker for the supervisor. */
  workersMs: 2_000,
  /** Milliseconds that the supervisor may take besides, on a machine that is busy: together less than Prometheus' 10 s. */
  supervisorMs: 4_000,
} as const;
