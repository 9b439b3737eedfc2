// Looks at topics for all who ask together. Of each topic the last look is kept for a while, and is the answer meanwhile: the
// cost does not grow with those who listen, and a look that takes long is made less often.
import type { Clock } from "../../kernel/index.ts";
import type { Topic } from "./contract.ts";

const limits = {
  /** A topic is under way for a twentieth of the time at most. */
  pausePerMs: 20,
} as const;

/** What was seen of a topic. */
export interface Seen {
  readonly count: number;
  /** JSON that is another one when anything has changed that a screen shows; times that pass by themselves are left out. */
  readonly of: unknown;
}
export interface Looks {
  /** Milliseconds for which a look is the answer. */
  readonly everyMs: number;
  readonly look: () => Promise<Seen | undefined>;
}

export interface Hint {
  readonly topic: Topic;
  readonly count: number;
  readonly edition: string;
}

interface Kept {
  hint: Hint | undefined;
  /** As `clock.monotonic()` has it. */
  until: number;
  isLost: boolean;
  looking?: Promise<void> | undefined;
}

export interface TopicsOptions {
  readonly looks: Readonly<Record<Topic, Looks>>;
  readonly editionOf: (seen: unknown) => string;
  readonly clock: Clock;
  readonly logger: { debug(...message: unknown[]): void };
}

export class Topics {
  readonly #options: TopicsOptions;
  readonly #kept = new Map<Topic, Kept>();

  constructor(options: TopicsOptions) {
    this.#options = options;
  }

  /** What there is of these topics. One whose look failed is `silent`; one that this system does not have is left out. */
  async hints(topics: readonly Topic[]): Promise<{ hints: Hint[]; silent: Topic[] }> {
    const kept = await Promise.all(topics.map(topic => this.#of(topic)));
    return {
      hints: kept.flatMap(({ hint, isLost }) => (hint && !isLost ? [hint] : [])),
      silent: topics.filter((_, i) => kept[i]!.isLost),
    };
  }

  async #of(topic: Topic): Promise<Kept> {
    let kept = this.#kept.get(topic);
    if (!kept) this.#kept.set(topic, (kept = { hint: undefined, until: -Infinity, isLost: false }));
    if (this.#options.clock.monotonic() < kept.until) return kept;
    await (kept.looking ??= this.#look(topic, kept).finally(() => (kept.looking = undefined)));
    return kept;
  }

  async #look(topic: Topic, kept: Kept): Promise<void> {
    const { looks, clock, editionOf, logger } = this.#options;
    const { everyMs, look } = looks[topic];
    const beganAt = clock.monotonic();
    try {
      const seen = await look();
      kept.hint = seen && { topic, count: seen.count, edition: editionOf(seen.of) };
      kept.isLost = false;
    } catch (error) {
      logger.debug(`${topic} could not be looked at`, error);
      kept.isLost = true;
    }
    const endedAt = clock.monotonic();
    kept.until = endedAt + Math.max(everyMs, limits.pausePerMs * (endedAt - beganAt));
  }
}
