import { Pause } from "./pause.ts";

/**
 * Takes turns in the background. A turn answers the milliseconds until the next one; `wake` begins that at once, also
 * when it is called while a turn is under way. A turn handles its own errors: it never rejects.
 */
export class WakeableLoop {
  readonly #turn: () => Promise<number>;
  readonly #pause = new Pause();
  #isWoken = false;
  #isStopped = false;
  #running: Promise<void> | undefined;

  constructor(turn: () => Promise<number>) {
    this.#turn = turn;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  wake(): void {
    this.#isWoken = true;
    this.#pause.end();
  }

  /** Begins no further turn. Resolves when the one under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause.end();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#isWoken = false;
      const waitMs = await this.#turn();
      if (!this.#isWoken && !this.#isStopped) await this.#pause.wait(waitMs);
    }
  }
}
