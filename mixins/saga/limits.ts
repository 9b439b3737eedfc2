// Bounds of a service's sagas, each with its unit and reason.
import { minutes, seconds } from "../kernel/index.ts";

export const SAGA_LIMITS = {
  /** Sagas driven at once; the others queue. Each holds one call, or `itemsAtOnce`, open. */
  sagasAtOnce: 256,
  /** Sagas of one batch of events that are started side by side: an append each, to the service's own store. */
  startsAtOnce: 500,
  /** Calls of one `each` step that are open at once. */
  itemsAtOnce: 16,
  /** Ids that queue or wait for a retry in memory; past it a saga is left to the watchdog, which finds its row. */
  remembered: 10_000,
  /** Milliseconds of one call; one that hangs is then repeated under the same command id. */
  callTimeoutMs: seconds(10),
  /** Milliseconds of the first pause between two tries, and of the longest. */
  retryBaseMs: 100,
  retryCapMs: seconds(10),
  /** Tries in vain after which the log tells of a saga, three seconds: fewer are a node that restarts. */
  toldAfterTries: 5,
  /** Milliseconds until the log tells of another saga with the same trouble: in an outage all have it. */
  toldEveryMs: seconds(30),
  /** Milliseconds of tries without progress, past the pivot or while compensating, until a saga is parked as stuck. */
  stuckAfterMs: minutes(15),
  /** Milliseconds between two rounds of the watchdog. */
  watchdogMs: seconds(5),
  /** Milliseconds without progress after which the watchdog takes up another driver's open saga. */
  orphanedAfterMs: seconds(30),
  /** The same when a node of the service was lost a moment ago: it may have driven sagas of partitions that others have. */
  lostAfterMs: seconds(2),
  /** Milliseconds that a partition which another node is to have waits for the calls at hand of its sagas. */
  handOverMs: 500,
  /** Sagas that another node is asked to drive in one call, and the milliseconds in which it has to answer. */
  offered: 100,
  offerMs: seconds(2),
  /**
   * Journals of one kind of saga in memory, a few kilobytes each. Past it those that were used longest ago are read again when it is their saga's turn:
   * more than are driven and started at once, so that one turn reads its journal once.
   */
  journals: 2_000,
  /** Milliseconds that the journal of a saga that rests or has ended stays in memory. */
  idleMs: seconds(10),
  /** Rows that the watchdog and the metrics read in one go. */
  rows: 1_000,
  /** Milliseconds for which the metrics keep what they read. */
  metricsKeptMs: seconds(5),
  /** Times that an operator's entry is written again when the saga moved meanwhile. */
  editsMax: 10,
};
export type SagaLimits = typeof SAGA_LIMITS;
