// Bounds of the log, with unit and reason.

export const limits = {
  /**
   * Bytes of a line: container runtimes (containerd, Docker) split longer ones at 16 KiB, and half a line is no JSON. The
   * frame around the texts (time, node, ids) has the last 2,000.
   */
  lineBytesMax: 16_384,
  frameBytes: 2_000,
  /** Bytes of one text in it: a message with its statement fits, and an error's text leaves room for its stack. */
  textBytesMax: 8_000,
  /** Characters behind a cut that are searched for secrets too: half of one would not be recognized. A JWT has 1,000. */
  secretCharsMax: 4_096,
  /** Entries of one object or list, and levels of them. */
  entriesMax: 100,
  depthMax: 8,
  /** Causes of an error, one behind the other. */
  causesMax: 5,
  /** Bytes of lines that wait for a slow reader of stdout; further ones are dropped and counted. */
  waitingBytesMax: 4 * 1_024 * 1_024,
  /** Milliseconds after which a full pipe is tried again. */
  retryMs: 20,
  /** Lines of the access log are collected: one write for a hundred lines wakes their reader once. */
  collectedBytes: 32_768,
  collectedMs: 500,
  /** Milliseconds that an exit waits for a reader to take the last lines. */
  exitMs: 500,
} as const;
