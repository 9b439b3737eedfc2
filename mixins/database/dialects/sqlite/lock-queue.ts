// Waiting for SQLite's one write lock, without blocking the loop and without starving anyone.
//
// SQLite's own busy handler sleeps inside the call: on the broker's loop that stops heartbeats, and between processes it
// starved one of four for 4 s. So every connection has busy_timeout=0 and a statement that meets SQLITE_BUSY waits here:
// first come, first served within a process; only the head of the queue tries again, after a random pause (so that
// processes on one file do not march in step) that grows, or at once when a transaction of this process ends.
import { setTimeout as sleep } from "node:timers/promises";
import { refuseLate, tooLate, waitWithinCall } from "../../waiting.ts";

const limits = {
  /**
   * Milliseconds a statement waits for the write lock. Half of the default request timeout: so that the caller still
   * gets the reason.
   */
  waitMsMax: 5_000,
  /** Milliseconds of the first pause, doubled each time up to the cap: a commit takes 0.1 to a few ms. */
  pauseMsMin: 0.1,
  pauseMsFirst: 0.5,
  pauseMsMax: 4,
};

const SQLITE_BUSY = 5;

/** Extended codes keep the primary one in the low byte (SQLITE_BUSY_SNAPSHOT = 517, SQLITE_BUSY_RECOVERY = 261). */
export const isBusy = (error: unknown): boolean => {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === "number" && (code & 0xff) === SQLITE_BUSY;
};

/** One per database file and process. */
export class LockQueue {
  private tail: Promise<void> | undefined;
  private wake: (() => void) | undefined;
  private readonly waitMs: number;

  constructor(waitMs = limits.waitMsMax) {
    this.waitMs = waitMs;
  }

  /**
   * Runs `attempt` until it no longer throws SQLITE_BUSY, at most 5 s; then throws that error. Throws `DEADLINE_PASSED`
   * when it would have to wait for longer than the call at hand; then it does not run `attempt` again.
   * `inTurn`: queue up behind the statements that wait already (a transaction's begin), instead of trying first.
   */
  async run<T>(attempt: () => T, { inTurn }: { inTurn: boolean }): Promise<T> {
    if (!inTurn || this.tail === undefined)
      try {
        return attempt();
      } catch (error) {
        if (!isBusy(error)) throw error;
      }
    refuseLate();
    const patience = { until: performance.now() + this.waitMs };
    const turn = (this.tail ?? Promise.resolve()).then(() => this.attemptUntil(attempt, patience));
    // Also one that has left holds its place until its turn has come: the others keep theirs.
    const passed = (): void => {
      if (this.tail === tail) this.tail = undefined;
    };
    const tail = turn.then(passed, passed);
    this.tail = tail;
    return waitWithinCall(turn, this.waitMs, () => (patience.until = -Infinity));
  }

  /** A transaction of this process has ended: the next in the queue need not wait out its pause. */
  released(): void {
    this.wake?.();
  }

  /** `patience.until`: on the monotonic clock; -Infinity when the caller has left. */
  private async attemptUntil<T>(attempt: () => T, patience: { readonly until: number }): Promise<T> {
    for (let ceiling = limits.pauseMsFirst; ; ceiling = Math.min(ceiling * 2, limits.pauseMsMax)) {
      if (patience.until === -Infinity) throw tooLate();
      try {
        return attempt();
      } catch (error) {
        if (!isBusy(error) || performance.now() >= patience.until) throw error;
      }
      await this.pause(limits.pauseMsMin + Math.random() * (ceiling - limits.pauseMsMin));
    }
  }

  private async pause(ms: number): Promise<void> {
    const woken = new Promise<void>(resolve => (this.wake = resolve));
    await Promise.race([woken, ms < 1 ? briefly(ms) : sleep(ms)]);
    this.wake = undefined;
  }
}

/** Node's timers count whole milliseconds; for less, turns of the loop, in which everything else goes on. */
async function briefly(ms: number): Promise<void> {
  const due = performance.now() + ms;
  while (performance.now() < due) await new Promise(resolve => setImmediate(resolve));
}
