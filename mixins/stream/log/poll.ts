// When a reader looks at a log again: soon after activity, then ever more seldom; at once when a commit is hinted at.
import { Pause } from "../../kernel/index.ts";

const limits = {
  /**
   * Milliseconds between two looks at an idle log: the minimum after activity, doubled up to the maximum. The minimum is
   * short: on Postgres a commit that was hinted at stays hidden until the transactions beside it have ended.
   */
  pauseMinMs: 5,
  pauseMaxMs: 500,
};

export class Poll {
  readonly #pause = new Pause();
  #pauseMs = limits.pauseMinMs;
  /** A hint that came since the last look began: that look may have missed the commit. */
  #hinted = false;
  #closed = false;

  /** A look begins. */
  begin(): void {
    this.#hinted = false;
  }
  /** It found something. */
  found(): void {
    this.#pauseMs = limits.pauseMinMs;
  }
  wake(): void {
    this.#hinted = true;
    this.#pause.end();
  }
  close(): void {
    this.#closed = true;
    this.#pause.end();
  }

  /** Resolves when it is time for the next look, or when there will be none. */
  async pause(): Promise<void> {
    if (this.#hinted || this.#closed) return;
    await this.#pause.wait(this.#pauseMs);
    this.#pauseMs = this.#hinted ? limits.pauseMinMs : Math.min(limits.pauseMaxMs, this.#pauseMs * 2);
  }
}
