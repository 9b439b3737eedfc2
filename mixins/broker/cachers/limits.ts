export const limits = {
  /** Entries in the memory of a node: anyone can make new keys by asking for something else. */
  entriesMax: 10_000,
  /** Characters of a key; what is longer ends in its hash. */
  keyCharsMax: 200,
  /** Seconds an entry stays in Redis unless its action says otherwise: what nobody removes must go by itself. */
  ttlSeconds: 60,
  /** Milliseconds that others wait for one who fills an entry; then they ask for themselves. */
  waitMs: 2_000,
  /** Milliseconds between two looks while they wait. */
  lookMs: 25,
  /** Milliseconds until one who fills an entry counts as dead. */
  fillMs: 5_000,
} as const;
