// Bounds of public events and their deliveries, with unit and reason.
import { minutes, msOf } from "../../kernel/index.ts";

export const limits = {
  /** Bytes of a public event's data: what receivers behind common gateways take, and far below what a topic takes. */
  dataBytes: 256 * 1_024,
  /** Characters of a webhook's URL, as it is sent: a list of all webhooks is one message. */
  urlCharsMax: 2_000,
  /** Webhooks there may be. Each sends `perWebhook` requests at once at most, which bounds all of them. */
  webhooksMax: 100,
  /** Requests at once to one webhook; one that has just failed gets one until it answers again. */
  perWebhook: 4,
  /** Time for a whole request, name look-up and handshake included. */
  sendMs: 15_000,
  /** Time for the test of a webhook, while an operator waits: less than the gateway's. */
  testMs: 5_000,
  /** Bytes of an answer that are read, so that its connection can end in order. Nobody looks at them. */
  answerBytes: 64 * 1_024,
  /** Time for which they are read: a request holds its place until then. */
  answerMs: 1_000,
  /** Time for which a delivery belongs to the node that sends it: a request, and as long again to note the answer. */
  leaseMs: 30_000,
  /** Wait before the next attempt of one delivery: the first, and the longest. */
  retryMs: 5_000,
  retryMsMax: minutes(6 * 60),
  /** Wait before a webhook that cannot be reached, or asks for time, is tried again: the first, and the longest. */
  holdMs: 1_000,
  holdMsMax: minutes(10),
  /** Longest `Retry-After` that is honoured. */
  retryAfterMsMax: minutes(24 * 60),
  /** Time after which a delivery is given up: longer than a receiver is away over a weekend. */
  lifeMs: msOf({ days: 3 }),
  /** Time of failing, without one success, after which a webhook is disabled. */
  disableMs: msOf({ days: 3 }),
  /**
   * Longest pause between two failures that counts as time of failing: while this service was away itself, nobody tried. Longer
   * than the longest wait.
   */
  failingPauseMsMax: minutes(12 * 60),
  /** Failures in a row after which a success makes due what else has failed: a shorter trouble ends by its own waits. */
  outageFailures: 5,
  /**
   * Time for which public events and the record of their deliveries are kept, and can be sent again. An event that is older when it is
   * read, as after a consumer's reset, is passed over: its record may be gone, and receivers have forgotten its id.
   */
  keptMs: msOf({ days: 30 }),
  /** Time for which a secret that was replaced still signs, beside the new one. */
  oldSecretMs: minutes(24 * 60),
  /** Time before it was made from which on a webhook gets events: the clocks of two databases may differ so much. */
  beforeMadeMs: minutes(10),
  /** Deliveries that one request sends again, at most, and the rows of each of its steps. */
  replayedMax: 10_000,
  replayPage: 500,
  /** Wait between two looks for deliveries that other nodes have left. */
  pollMs: 15_000,
  /** Time between two removals of what is older than `keptMs`, and rows that one statement removes. */
  forgetEveryMs: minutes(60),
  /** Time that a stop leaves to requests on their way. */
  stopMs: 3_000,
  /** Time for which the metrics keep what they have read. */
  metricsKeptMs: 5_000,
  /** Time between two notes that a webhook works, while it does. */
  notedMs: minutes(1),
  /** Characters of a reason that a row keeps. */
  reasonCharsMax: 200,
  /** Entries of a page, unless the caller asks for fewer or more. */
  page: 100,
  pageMax: 500,
} as const;
