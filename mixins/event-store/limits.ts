/** Every bound of the event store, with its reason. */
export const limits = {
  /** Appends in one transaction: at 512 the sync is 1 % of the batch, and a larger one only delays its first caller. */
  batchAppends: 512,
  /** Characters of their events, and of one append more: a server takes no statement of a gigabyte. */
  batchChars: 16_000_000,
  /** Appends below which a batch is not split in halves: two syncs would cost more than the overlap gains. */
  halfAppendsMin: 16,
  /** Small writes in one transaction, and characters of the snapshots among them: commits wait behind it. */
  batchUpkeep: 128,
  batchUpkeepChars: 4_000_000,
  /** Events of one read in the writer thread: about 1 ms, which is how long a commit may wait behind it. */
  chunkEvents: 500,
  /** Times a request is given to a new writer thread after the old one died with it. */
  resubmissions: 3,
  /** Milliseconds to try for the file's write lock before the batch fails with outcome none. */
  writeLockMs: 10_000,

  /**
   * Connections of Postgres that commit, a shard: with two, one batch is on its way while the other syncs. More make
   * smaller batches, which cost more each.
   */
  lanes: 2,
  /** Events of one read from Postgres: no commit waits behind the read, but our loop decodes them in one go. */
  pageEvents: 2_000,
  /** Streams of one statement that loads, and events of each that come with it; a longer one is read on by itself. */
  streamsOfLoad: 64,
  eventsOfLoad: 200,
  /** Milliseconds to try for a connection before a batch that was never sent fails: a server restarts in less. */
  connectMs: 3_000,
  /** Milliseconds to wait for the server's reply: longer than it lets a statement run. Then the outcome is unknown. */
  replyMs: 20_000,
  /** Milliseconds to find out an unknown outcome by re-submitting the batch; the lane stands still meanwhile. */
  unknownMs: 30_000,

  /** Looks for the owner of a bucket, and milliseconds between two: the rest of a sealed bucket is copied in less. */
  ownerLooks: 50,
  ownerLookMs: 100,
} as const;
