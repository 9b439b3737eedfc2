// Bounds of a projection, each with its unit and reason.

export const PROJECTION_LIMITS = {
  /** Events a batch while a build catches up: rows that are touched often are written less often. Blocks the loop for about 10 ms. */
  buildBatch: 2_000,
  /** Milliseconds for which a replaced build is kept and fed: for roll-back, and for pods of the old version. */
  graceMs: 10 * 60_000,
  /** Milliseconds between two looks at the pointer, which another node may have moved. Far below the grace. */
  lookMs: 1_000,
  /** Streams that are named in the status of a build that cannot become live: an operator repairs each. */
  blockedShown: 20,
  /**
   * Milliseconds, up to twice as many, until a handler that waits for anything but its tables is given up: `HANDLER_HANGS`.
   * It holds the write lock meanwhile: on SQLite others wait 5 s for it, and Postgres ends a transaction that is idle for 10 s.
   */
  handlerMs: 500,
  /** Handlers given up in one batch; then the rest of the batch is put off. */
  handlersHanging: 3,
  /** Reads and writes of a handler for one event; then `HANDLER_ENDLESS`. They take about 100 ms. */
  handlerCalls: 100_000,
  /** Milliseconds that a read waits for its token; then `NOT_CAUGHT_UP`. Less than people wait for a page. */
  waitMs: 2_000,
  /** Milliseconds between two looks while it waits, when another node does the writing. */
  waitLookMs: 25,
};
export type ProjectionLimits = typeof PROJECTION_LIMITS;
