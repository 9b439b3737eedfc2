// Bounds of purges, with unit and reason.
import { minutes } from "../kernel/index.ts";

export const limits = {
  /**
   * Time between a change and its purge: the gateways hear of the change meanwhile, or the network would fetch the old answer
   * again. Changes within it are one purge.
   */
  delayMs: 100,
  /**
   * Time after a purge until it is sent once more: an answer that was on its way from a gateway to the network during the
   * first is removed by the second. Longer than a read takes, and than a standby lags behind.
   */
  againMs: 3_000,
  /** Changes that one purge is made of, at most: after an outage of hours many wait. */
  changesMax: 500,
  /** Time for a whole purge; networks answer in 200 ms. */
  sendMs: 5_000,
  /** Time for which changes belong to the node that sends them: the addresses of a network one after another, and as long again. */
  leaseMs: 30_000,
  /** Wait after a purge that failed: the first, and the longest. A network's own limits allow one request in a few seconds. */
  retryMs: 500,
  retryMsMax: minutes(1),
  /** Wait between two looks for changes that other nodes have left. */
  pollMs: 5_000,
  /** Time after which a change that waits is a trouble to tell of: until then a retry mends it. */
  lateMs: 10_000,
  /** Bytes of an answer that are read: a network's reason for a refusal. */
  answerBytesMax: 16 * 1_024,
  /** Characters of a reason that is told. */
  reasonCharsMax: 200,
  /** Time for which the metrics keep what they have read. */
  metricsKeptMs: 5_000,
  /** Time that a stop leaves to a purge on its way. */
  stopMs: 3_000,
} as const;
