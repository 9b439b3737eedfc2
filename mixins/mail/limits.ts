// Bounds of mails on their way, with unit and reason. How long a mail is worth sending, its service says.
import { minutes } from "../kernel/index.ts";

export const limits = {
  /** Mails at once, each over a connection of its own. */
  atOnce: 4,
  /** Time until the server asks for a mail's text; afterwards it counts as not sent. */
  sendMs: 20_000,
  /** Time that the server may then take to accept it: RFC 5321, 4.5.3.2.6, since a shorter one makes twins. */
  acceptMs: minutes(10),
  /** Times that a text goes to a server: the second time may make a twin, and a third is not worth two. */
  handedMax: 2,
  /**
   * Time for which a mail belongs to the node that sends it: a send, and ten seconds to write the letter, so that no other
   * node begins. While a server takes its time over a text, the node prolongs it.
   */
  leaseMs: 30_000,
  /** Wait before the next attempt: the first, and the longest. */
  retryMs: 1_000,
  retryMsMax: minutes(5),
  /** The same for a mail that is held: a person decides when its reason ends, and each look asks another service. */
  heldMs: minutes(1),
  heldMsMax: minutes(60),
  /** Wait between two looks for mails of other nodes that have stopped. */
  pollMs: 15_000,
  /** Mails that are kept as files where there is no server; the oldest go first. */
  filesMax: 1_000,
  /** Time that a stop leaves to mails on their way. */
  stopMs: 3_000,
  /** Time in which the server answers an operator's question how it stands: less than the asker's 1.5 s. */
  stateMs: 1_200,
  /** Time for which the metrics keep how many wait. */
  metricsKeptMs: 5_000,
  /** Characters of a reason that a row keeps. */
  reasonCharsMax: 200,
} as const;
