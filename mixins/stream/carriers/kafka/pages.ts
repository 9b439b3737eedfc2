// Puts the messages of several partitions back into the log's order. A partition keeps the order of its own actors only, and the
// brokers answer at their own speed, while a consumer's cursor is one of the whole log.
//
//   1. a page of the log (see Carried) is told once all of its messages are here, in their order.
//   2. pages are told one after the other: the next one begins where the last one ended.
//   3. a page that does not get its turn within `holdMs`, since one before it is missing or is cut, is told nevertheless. The
//      feed sees the gap and reads the log. So does a feed that is told nothing, after a while.
import type { Cursor } from "../../log/source.ts";
import type { Received } from "../message.ts";

export const PAGE_LIMITS = {
  /** Milliseconds that a whole page waits for those before it: longer than brokers in health are apart. */
  holdMs: 300,
  /** Milliseconds after its first message until a page that is not whole is forgotten. */
  forgetMs: 10_000,
  /** Pages that are kept: the oldest is forgotten for another one. Anybody may write to a topic. */
  pages: 1_000,
};

interface Page {
  readonly messages: Received[];
  missing: number;
  /** When its first message came, and when its last one did; monotonic. */
  readonly since: number;
  wholeAt: number;
}

export class Pages {
  readonly #pages = new Map<string, Page>();
  /** End of the page that was told last. */
  #told: Cursor | undefined;

  /** `now` is monotonic milliseconds. */
  add(message: Received, now: number): void {
    const { origin, after, upTo, index, count } = message;
    const key = `${origin} ${after} ${upTo}`;
    let page = this.#pages.get(key);
    if (!page) {
      page = { messages: Array(count), missing: count, since: now, wholeAt: Infinity };
      this.#pages.set(key, page);
      if (this.#pages.size > PAGE_LIMITS.pages) this.#pages.delete(this.#pages.keys().next().value!);
    }
    // Anybody may have sent a message with numbers that fit no page.
    if (index < 1 || index > page.messages.length || page.messages[index - 1] !== undefined) return;
    page.messages[index - 1] = message;
    if (--page.missing === 0) page.wholeAt = now;
  }

  /** The messages whose turn it is. They are not told again. */
  take(now: number): Received[] {
    const taken: Received[] = [];
    for (let key = this.#next(now); key !== undefined; key = this.#next(now)) {
      const { messages } = this.#pages.get(key)!;
      this.#pages.delete(key);
      this.#told = messages[0]!.upTo;
      taken.push(...messages);
    }
    for (const [key, page] of this.#pages)
      if (page.missing > 0 && now - page.since > PAGE_LIMITS.forgetMs) this.#pages.delete(key);
    return taken;
  }

  /** Whether a whole page waits for its turn. */
  get isHolding(): boolean {
    return [...this.#pages.values()].some(({ missing }) => missing === 0);
  }

  #next(now: number): string | undefined {
    let held: string | undefined;
    for (const [key, { messages, missing, wholeAt }] of this.#pages) {
      if (missing > 0) continue;
      if (this.#told === undefined || messages[0]!.after === this.#told) return key;
      if (now - wholeAt >= PAGE_LIMITS.holdMs) held ??= key;
    }
    return held;
  }
}
