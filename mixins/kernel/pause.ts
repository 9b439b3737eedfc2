/**
 * A wait that can be ended early: a loop waits for its next turn here, and the code that stops or wakes the loop calls
 * `end`. It holds one wait at a time. It remembers nothing: `end` before `wait` does not shorten the wait.
 */
export class Pause {
  #end: (() => void) | undefined;

  /** Resolves after so many milliseconds, or as soon as `end` is called. */
  async wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#end = resolve;
    await promise;
    clearTimeout(timer);
    this.#end = undefined;
  }

  /** Ends the wait that is under way, if there is one. */
  end(): void {
    this.#end?.();
  }
}
