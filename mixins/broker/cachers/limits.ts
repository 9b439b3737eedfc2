export const limits = {
  /** Entries in the memory of a node: any client can make new keys by asking for something else. */
  entriesMax: 10_000,
  /** Characters of a key; a longer one ends in its hash. */
  keyCharsMax: 200,
  /**
   * Seconds that an entry stays in Redis unless its action says otherwise: an entry that no clean removes must expire.
   */
  ttlSeconds: 60,
  /** Milliseconds that a call waits for another one to fill an entry; then it runs the handler itself. */
  waitMs: 2_000,
  /** Milliseconds between two looks during that wait. */
  lookMs: 25,
  /** Milliseconds until the process that fills an entry counts as dead. */
  fillMs: 5_000,
} as const;
