/**
 * Answers under way, by cache key. Who asks for one that is under way gets it too, a failure as well: a crowd that misses
 * the cache together makes one query. After a clean nobody gets what began before it, and whoever began before it must
 * not store what was found: a change would be hidden until the entry expires.
 */
export class Flights {
  readonly #running = new Map<string, Promise<unknown>>();
  #cleans = 0;

  join<T>(key: string, fly: (isCurrent: () => boolean) => Promise<T>): Promise<T> {
    const running = this.#running.get(key) as Promise<T> | undefined;
    if (running) return running;
    const cleans = this.#cleans;
    const flight = fly(() => cleans === this.#cleans).finally(() => {
      if (this.#running.get(key) === flight) this.#running.delete(key);
    });
    this.#running.set(key, flight);
    return flight;
  }

  clean(): void {
    this.#cleans++;
    this.#running.clear();
  }
}
