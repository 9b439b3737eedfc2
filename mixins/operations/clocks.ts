// How far another node's clock is from ours, estimated as NTP does: by when the question left here, when it came there, and
// the same of the answer. The estimate is exact to half of the time under way.
import { seconds, type DependencyState } from "../kernel/index.ts";

/**
 * Milliseconds. Nodes never compare their clocks, but tokens and certificates of nodes have a time: past a minute nodes with
 * keys refuse each other when they meet.
 */
const limits = { warnMs: seconds(1), failMs: seconds(30) };

export interface Meeting {
  /** On our clock; milliseconds since the epoch, like the others. */
  readonly sentAt: number;
  readonly cameAt: number;
  /** On the other one's. */
  readonly askedAt: number;
  readonly answeredAt: number;
}

export function clockState({ sentAt, askedAt, answeredAt, cameAt }: Meeting): DependencyState {
  const offsetMs = Math.round((askedAt - sentAt + (answeredAt - cameAt)) / 2);
  const errorMs = Math.ceil(Math.max(0, cameAt - sentAt - (answeredAt - askedAt)) / 2);
  const figures = { offsetMs, errorMs };
  const way = offsetMs < 0 ? "behind" : "ahead of";
  const message = `${Math.abs(offsetMs)} ms ${way} the node that asks, ± ${errorMs} ms`;
  // What may be an error of the measurement is no finding.
  const surelyMs = Math.abs(offsetMs) - errorMs;
  const status = surelyMs > limits.failMs ? "FAIL" : surelyMs > limits.warnMs ? "warn" : "ok";
  return { status, message, ...(status !== "ok" && { advice: "set the clocks of both machines by NTP" }), figures };
}
