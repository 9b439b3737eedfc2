import { callErrors } from "../../contract/index.ts";
import { InFlight } from "../../kernel/index.ts";
import { limits } from "./limits.ts";

/**
 * Joins calls for the same cache key while one is under way: concurrent misses share one execution, failures included,
 * except that its own caller's time was over: then the next one executes.
 * After a clean no call joins an execution that began before it, and such an execution must not store its answer: it
 * would hide the change until the entry expires. An execution that takes longer than `fillMs` is joined no more, since
 * a handler that never ends would keep its key from every caller.
 */
export class SingleFlight {
  readonly #running = new InFlight<string, { readonly execution: Promise<unknown>; readonly since: number }>();
  #cleans = 0;

  join<T>(key: string, execute: (isCurrent: () => boolean) => Promise<T>): Promise<T> {
    const running = this.#running.get(key);
    if (running && performance.now() - running.since < limits.fillMs)
      return (running.execution as Promise<T>).catch((error: unknown) => {
        if ((error as { type?: unknown }).type !== callErrors.DEADLINE_PASSED.code) throw error;
        return this.join(key, execute);
      });
    const cleans = this.#cleans;
    const execution = execute(() => cleans === this.#cleans).finally(() => {
      if (this.#running.get(key)?.execution === execution) this.#running.delete(key);
    });
    this.#running.set(key, { execution, since: performance.now() });
    return execution;
  }

  clean(): void {
    this.#cleans++;
    this.#running.clear();
  }
}
