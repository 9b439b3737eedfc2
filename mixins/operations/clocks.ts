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

/** Milliseconds by which the clocks surely differ: what may be an error of the measurement is no difference. */
export function surelyMs(meeting: Meeting): number {
  const { offsetMs, errorMs } = measured(meeting);
  return Math.max(0, Math.abs(offsetMs) - errorMs);
}

function measured({ sentAt, askedAt, answeredAt, cameAt }: Meeting): { offsetMs: number; errorMs: number } {
  const offsetMs = Math.round((askedAt - sentAt + (answeredAt - cameAt)) / 2);
  return { offsetMs, errorMs: Math.ceil(Math.max(0, cameAt - sentAt - (answeredAt - askedAt)) / 2) };
}

export function clockState(meeting: Meeting): DependencyState {
  const figures = measured(meeting);
  const { offsetMs, errorMs } = figures;
  const way = offsetMs < 0 ? "behind" : "ahead of";
  const message = `${Math.abs(offsetMs)} ms ${way} the node that asks, ± ${errorMs} ms`;
  const differenceMs = surelyMs(meeting);
  const status = differenceMs > limits.failMs ? "FAIL" : differenceMs > limits.warnMs ? "warn" : "ok";
  return { status, message, ...(status !== "ok" && { advice: "set the clocks of both machines by NTP" }), figures };
}
