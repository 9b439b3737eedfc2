/** Bounds of a projection. */
export const PROJECTION_LIMITS = {
  /** Events a batch while a build catches up: rows that are touched often are written less often. Blocks the loop for about 10 ms. */
  buildBatch: 2_000,
  /** Milliseconds for which a replaced build is kept and fed: for roll-back, and for pods of the old version. */
  graceMs: 10 * 60_000,
  /** Milliseconds between two looks at the pointer, which another node may have moved. Far below the grace. */
  lookMs: 1_000,
  /** Streams that the status of a build which cannot become live names: each needs a person. */
  blockedShown: 20,
  /**
   * Milliseconds, up to twice as many, until a handler that waits for something else than its tables is given up:
   * `HANDLER_HANGS`. It holds the write lock meanwhile: others wait 5 s for it on SQLite, and Postgres ends a transaction
   * that does nothing for 10 s.
   */
  handlerMs: 500,
  /** Handlers given up in one batch until the rest of it is put off. */
  handlersHanging: 3,
  /** Reads and writes of a handler for one event; then `HANDLER_ENDLESS`. They take about 100 ms. */
  handlerCalls: 100_000,
  /** Milliseconds that a read waits for its token; then `NOT_CAUGHT_UP`. Less than people wait for a page. */
  waitMs: 2_000,
  /** Milliseconds between two looks while it waits, when another node does the writing. */
  waitLookMs: 25,
};
export type ProjectionLimits = typeof PROJECTION_LIMITS;
