/** At most `atOnce` pieces of work run, at most `queueMax` wait; the next one is refused with the error that `refuse` makes. */
export class Semaphore {
  readonly #atOnce: number;
  readonly #queueMax: number;
  readonly #refuse: () => Error;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(atOnce: number, queueMax: number, refuse: () => Error) {
    this.#atOnce = atOnce;
    this.#queueMax = queueMax;
    this.#refuse = refuse;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#atOnce) this.#running++;
    else {
      if (this.#waiting.length >= this.#queueMax) throw this.#refuse();
      // Work that ends hands its turn to the first that waits, so that a newcomer cannot take it.
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
