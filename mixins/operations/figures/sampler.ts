// Looks at the nodes every few seconds while somebody looks at it, and keeps a quarter of an hour of rates. It begins with the first
// who asks and ends when nobody has asked for a while: nothing is sampled for nobody.
import { plainError, type Clock } from "../../kernel/index.ts";
import { pointOf, type Look, type Point } from "./rates.ts";

export const limits = {
  /** Milliseconds between two looks. */
  everyMs: 5_000,
  /** Looks that are kept: 15 minutes. */
  kept: 180,
  /** Milliseconds without anybody who asks, after which it ends. A console that is hidden comes back within it. */
  idleMs: 60_000,
} as const;

export interface SamplerOptions {
  readonly look: () => Promise<Look>;
  readonly clock: Clock;
  readonly onPoint?: (point: Point) => void;
  readonly logger: { debug(...message: unknown[]): void };
}

export class Sampler {
  readonly #options: SamplerOptions;
  #points: Point[] = [];
  #last: Look | undefined;
  #askedAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  /** The rates so far, the oldest first, if somebody looks at them; for whoever is not to begin the sampling by asking. */
  get seen(): readonly Point[] {
    return this.isRunning ? this.#points : [];
  }

  /** The rates so far, the oldest first. Goes on sampling for whoever asks. */
  async points(): Promise<readonly Point[]> {
    this.#askedAt = this.#options.clock.monotonic();
    if (this.#timer === undefined) {
      // What was seen before the pause has no rate that means anything.
      this.#last = undefined;
      this.#timer = setInterval(() => void this.#turn(), limits.everyMs);
      this.#timer.unref();
      await this.#look();
    }
    return this.#points;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #turn(): Promise<void> {
    if (this.#options.clock.monotonic() - this.#askedAt > limits.idleMs) return this.stop();
    await this.#look();
  }

  #look(): Promise<void> {
    this.#looking ??= this.#see().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #see(): Promise<void> {
    try {
      const look = await this.#options.look();
      const before = this.#last;
      this.#last = look;
      if (before === undefined) return;
      const point = pointOf(before, look);
      this.#points = [...this.#points, point].slice(-limits.kept);
      this.#options.onPoint?.(point);
    } catch (error) {
      this.#options.logger.debug(`figures: ${plainError(error).message}`);
    }
  }
}
