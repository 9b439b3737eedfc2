// The messages of a tail, in the log's order as far as they came, until they are dropped.
import type { Cursor } from "../log/source.ts";
import type { Received } from "./message.ts";
import { PAGE_LIMITS, Pages } from "./pages.ts";

export class Ordered {
  readonly #onChange: () => void;
  readonly #pages = new Pages();
  readonly #messages: Received[] = [];
  #holding: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `onChange` is called when there are more. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#messages.length;
  }
  get first(): Received | undefined {
    return this.#messages[0];
  }
  drop(count: number): void {
    this.#messages.splice(0, count);
  }

  /** Messages as they came. */
  add(messages: readonly Received[]): void {
    const now = performance.now();
    for (const message of messages) this.#pages.add(message, now);
    this.#tell();
  }

  /** The reader has come to this place by itself. */
  goOn(origin: string, cursor: Cursor): void {
    // Others follow on those that are here.
    if (this.size > 0) return;
    this.#pages.goOn(origin, cursor);
    this.#tell();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#holding);
  }

  /** Gives the messages whose turn it is to the reader, and looks again when a page has waited long enough. */
  #tell(): void {
    const told = this.#pages.take(performance.now());
    for (const message of told) this.#messages.push(message);
    if (told.length > 0) this.#onChange();
    clearTimeout(this.#holding);
    if (this.#pages.isHolding && !this.#isClosed)
      this.#holding = setTimeout(() => this.#tell(), PAGE_LIMITS.holdMs).unref();
  }
}
