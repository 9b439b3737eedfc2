// Puts the messages of a log back into its order. Several nodes publish a log, each the pages with the events of its
// partitions, and a topic of Kafka has partitions of its own besides; a consumer's cursor is one of the whole log.
//
//   1. a page of the log (see Carried) is told once all of its messages are here, in their order.
//   2. pages are told one after the other: the next one begins where the last one ended, or before.
//   3. a page that does not get its turn within `holdMs`, since one before it is missing or is cut, is told nevertheless. The
//      feed sees the gap and reads the log. So does a feed that is told nothing, after a while.
//
// The databases of a log have no order among them: pages of one of them alone are a chain of their own.
import { isAtOrPast, type Cursor } from "../log/source.ts";
import { chainOf, chainsAt, type Received } from "./message.ts";

export const PAGE_LIMITS = {
  /** Milliseconds that a whole page waits for those before it: longer than brokers in health are apart. */
  holdMs: 300,
  /** Milliseconds after its first message until a page that is not whole is forgotten. */
  forgetMs: 10_000,
  /** Pages that are kept, and characters of their messages: the oldest makes room for another one. Anybody may write to a topic. */
  pages: 10_000,
  size: 64 * 1_024 * 1_024,
  /** Messages of a page, at most. */
  messages: 100_000,
  /** Chains whose ends are remembered: a log has one, and one for each of its databases. */
  chains: 1_000,
};

/** The characters of a cursor (log/source.ts), of which there are not many. */
const CURSOR = /^[\d:=,]{0,1000}$/;

interface Page {
  readonly chain: string;
  readonly after: Cursor;
  readonly upTo: Cursor;
  readonly messages: Received[];
  missing: number;
  size: number;
  /** When its first message came, and when its last one did; monotonic. */
  readonly since: number;
  wholeAt: number;
}

export class Pages {
  /** Pages that are not whole, in the order in which they began. */
  readonly #begun = new Map<string, Page>();
  /** Pages that have become whole since the last were taken, and those that wait for their turn, in the order in which they did. */
  #fresh: Page[] = [];
  readonly #waiting = new Set<Page>();
  /** Those that wait, by where they begin. Another one that begins there waits for `holdMs`. */
  readonly #byStart = new Map<string, Page>();
  #size = 0;
  /** How far each chain has been told. */
  readonly #told = new Map<string, Cursor>();

  /** `now` is monotonic milliseconds. */
  add(message: Received, now: number): void {
    const { origin, after, upTo, index, count } = message;
    // Anybody may have sent a message with numbers that fit no page.
    if (!Number.isInteger(index) || !Number.isInteger(count) || index < 1 || index > count) return;
    if (count > PAGE_LIMITS.messages || !CURSOR.test(after) || !CURSOR.test(upTo)) return;
    const key = `${origin} ${after} ${upTo} ${count}`;
    let page = this.#begun.get(key);
    if (!page) {
      const chain = chainOf(message);
      page = { chain, after, upTo, messages: [], missing: count, size: 0, since: now, wholeAt: Infinity };
      this.#begun.set(key, page);
    }
    if (page.messages[index - 1] !== undefined) return;
    page.messages[index - 1] = message;
    page.size += message.size;
    this.#size += message.size;
    if (--page.missing > 0) return this.#makeRoom();
    this.#begun.delete(key);
    page.wholeAt = now;
    this.#fresh.push(page);
  }

  /** The messages whose turn it is. They are not told again. */
  take(now: number): Received[] {
    const taken: Received[] = [];
    for (const page of this.#fresh.splice(0)) {
      if (this.#isDue(page)) this.#tell(page, taken);
      else this.#wait(page);
    }
    for (const page of this.#waiting) {
      if (now - page.wholeAt < PAGE_LIMITS.holdMs && !this.#isFull) break;
      this.#tell(page, taken);
    }
    for (const [key, page] of this.#begun) {
      if (now - page.since <= PAGE_LIMITS.forgetMs) break;
      this.#forget(key, page);
    }
    return taken;
  }

  /** The reader has come to this place of the log by itself: the next page begins there, or before. */
  goOn(origin: string, cursor: Cursor): void {
    for (const [chain, place] of chainsAt(origin, cursor)) this.#told.set(chain, place);
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#byStart.clear();
    this.#fresh = [...waiting, ...this.#fresh];
  }

  /** Whether a whole page waits for its turn. */
  get isHolding(): boolean {
    return this.#waiting.size > 0;
  }

  #isDue({ chain, after }: Page): boolean {
    const told = this.#told.get(chain);
    return told === undefined || after === told || isAtOrPast(told, after);
  }

  #wait(page: Page): void {
    this.#waiting.add(page);
    const start = startOf(page.chain, page.after);
    if (!this.#byStart.has(start)) this.#byStart.set(start, page);
    this.#makeRoom();
  }

  /** Tells a page, and those that follow on it. A page that the reader has had does not lead back. */
  #tell(page: Page, taken: Received[]): void {
    for (let next: Page | undefined = page; next;) {
      const { chain, after, upTo, messages, size } = next;
      this.#waiting.delete(next);
      if (this.#byStart.get(startOf(chain, after)) === next) this.#byStart.delete(startOf(chain, after));
      this.#size -= size;
      taken.push(...messages);
      const told = this.#told.get(chain);
      if (told === undefined || !isAtOrPast(told, upTo)) this.#told.set(chain, upTo);
      if (this.#told.size > PAGE_LIMITS.chains) this.#told.delete(this.#told.keys().next().value!);
      next = this.#byStart.get(startOf(chain, this.#told.get(chain) ?? upTo));
    }
  }

  get #isFull(): boolean {
    return this.#size > PAGE_LIMITS.size || this.#begun.size + this.#waiting.size > PAGE_LIMITS.pages;
  }

  #makeRoom(): void {
    for (const [key, page] of this.#begun) {
      if (!this.#isFull) break;
      this.#forget(key, page);
    }
  }

  #forget(key: string, page: Page): void {
    this.#begun.delete(key);
    this.#size -= page.size;
  }
}

const startOf = (chain: string, cursor: Cursor): string => `${chain} ${cursor}`;
