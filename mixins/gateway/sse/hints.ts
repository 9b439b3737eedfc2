// Hints that something has changed, for all streams of this gateway that want them: while there is one, one call every half second
// asks for the topics that any of them wants. Nothing is asked for nobody.
import { limits } from "../limits.ts";

/** What an action answers about a topic. */
export interface Hint {
  readonly topic: string;
  readonly count: number;
  /** A text that is another one when anything about the topic has changed; clients do not get it. */
  readonly edition: string;
}

/** The answer of an action that a route has `hints` of. Its param `topics` has names with commas between; without it, all. */
export interface Hints {
  readonly hints: readonly Hint[];
}

export interface Listener {
  /** Names with commas between; undefined for all. */
  readonly topics: string | undefined;
  tell(hint: Hint): void;
  /** Nobody can tell any more. */
  lose(): void;
}

export class HintSampler {
  readonly #ask: (params: { topics?: string }) => Promise<Hints>;
  readonly #listeners = new Set<Listener>();
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;

  constructor(ask: (params: { topics?: string }) => Promise<Hints>) {
    this.#ask = ask;
  }

  /** Tells the listener of each topic at each look, until the returned function is called. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#wait();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => void this.#look(), limits.hintMs);
  }

  async #look(): Promise<void> {
    try {
      const { hints } = await this.#ask(topicsOf(this.#listeners));
      this.#failures = 0;
      for (const hint of hints) for (const listener of this.#listeners) listener.tell(hint);
    } catch {
      if (++this.#failures >= limits.hintFailuresMax) for (const listener of this.#listeners) listener.lose();
    }
    this.#timer = undefined;
    if (this.#listeners.size > 0) this.#wait();
  }
}

/** The topics that any of them wants. */
function topicsOf(listeners: Iterable<Listener>): { topics?: string } {
  const all = [...listeners].map(({ topics }) => topics);
  return all.includes(undefined) ? {} : { topics: [...new Set(all.flatMap(topics => topics!.split(",")))].join(",") };
}
