// Messages that have come and are not taken yet: bounded in number and bytes, so that a slow ingress lets them wait on the bus.
import { INGRESS_LIMITS as limits } from "../limits.ts";
import { sizeOf, type Incoming } from "../kept-message.ts";

export class ReadAhead {
  readonly #messages: Incoming[] = [];
  #bytes = 0;
  #error: unknown;
  #isClosed = false;
  #wakeReader: (() => void) | undefined;
  #wakeWriters: (() => void)[] = [];

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Adds messages. Resolves when there is room for more. */
  async add(messages: readonly Incoming[]): Promise<void> {
    for (const message of messages) {
      this.#messages.push(message);
      this.#bytes += sizeOf(message);
    }
    if (messages.length > 0) this.#wakeReader?.();
    while (!this.#isClosed && (this.#messages.length >= limits.ahead || this.#bytes >= limits.aheadBytes))
      await new Promise<void>(resolve => this.#wakeWriters.push(resolve));
  }

  /** The source has failed: what has come is still given, then `take` rejects. */
  fail(error: unknown): void {
    this.#error ??= error;
    this.#wakeReader?.();
  }

  /** The next messages, a batch at most; none after a while. */
  async take(): Promise<readonly Incoming[]> {
    if (this.#messages.length === 0 && this.#error === undefined && !this.#isClosed) await this.#wait();
    if (this.#messages.length === 0 && this.#error !== undefined) throw this.#error;
    let bytes = 0;
    // One message is always given, however large it is.
    let count = 0;
    while (count < Math.min(this.#messages.length, limits.batch) && (count === 0 || bytes < limits.batchBytes))
      bytes += sizeOf(this.#messages[count++]!);
    const taken = this.#messages.splice(0, count);
    this.#bytes -= bytes;
    for (const wake of this.#wakeWriters.splice(0)) wake();
    return taken;
  }

  close(): void {
    this.#isClosed = true;
    this.#wakeReader?.();
    for (const wake of this.#wakeWriters.splice(0)) wake();
  }

  async #wait(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, limits.waitMs);
    this.#wakeReader = resolve;
    await promise;
    this.#wakeReader = undefined;
    clearTimeout(timer);
  }
}
