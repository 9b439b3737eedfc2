// Bounds of the audit, each with its unit and reason.

export const limits = {
  /**
   * Chains side by side. More of them let several readers write at once on Postgres; a checkpoint names the head of each.
   * May be raised: subjects go on in the partition that they then have.
   */
  partitions: 4,
  /** Records that are read at once, to verify, export or sign them. Blocks the loop for about 10 ms. */
  page: 500,
  /** Records of a list, by default and at most. */
  listed: 100,
  listedMax: 500,
  /** Characters of a record that a list shows when it is no record any more. */
  unreadableChars: 200,
  /** Milliseconds between two looks whether a checkpoint, a copy or a removal is due. */
  lookMs: 1_000,
  /** Records after which a checkpoint is made before its time: the anchor holds the hash of each. */
  recordsPerCheckpoint: 10_000,
  /** Checkpoints that are copied to the anchor in one turn: after an outage others must not wait behind them. */
  anchoredAtOnce: 50,
  /** Milliseconds for one request to the anchor. */
  anchorMs: 10_000,
  /** Milliseconds between two warnings of the same trouble. */
  tellMs: 60_000,
  /** Milliseconds between two looks for records past their retention. */
  removeEveryMs: 3_600_000,
  /** Records that are removed in one transaction. */
  removedAtOnce: 5_000,
  /** Milliseconds that a request waits for a verification; then it is told how far that is. */
  verifyWaitMs: 5_000,
  /** Milliseconds for which the verdict of a verification is answered again. */
  verdictKeptMs: 60_000,
};
export type AuditLimits = typeof limits;
