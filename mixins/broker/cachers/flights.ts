import { limits } from "./limits.ts";

/**
 * Answers under way, by cache key. Who asks for one that is under way gets it too, a failure as well: a crowd that misses
 * the cache together makes one query. After a clean nobody gets what began before it, and whoever began before it must
 * not store what was found: a change would be hidden until the entry expires. One that takes too long is joined no more:
 * a handler that never ends would else keep its key from everybody, for ever.
 */
export class Flights {
  readonly #running = new Map<string, { readonly flight: Promise<unknown>; readonly since: number }>();
  #cleans = 0;

  join<T>(key: string, fly: (isCurrent: () => boolean) => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running && performance.now() - running.since < limits.fillMs) return running.flight as Promise<T>;
    const cleans = this.#cleans;
    const flight = fly(() => cleans === this.#cleans).finally(() => {
      if (this.#running.get(key)?.flight === flight) this.#running.delete(key);
    });
    this.#running.set(key, { flight, since: performance.now() });
    return flight;
  }

  clean(): void {
    this.#cleans++;
    this.#running.clear();
  }
}
