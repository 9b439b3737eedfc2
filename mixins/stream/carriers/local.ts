// The carrier that needs no server: each feed reads the owner's log by its action, at once after a hint, else by polling.
// It costs one read of the log a consumer, and next to nothing while there are no commits.
import { CursorNotInLog } from "../log/identity.ts";
import { Poll } from "../log/poll.ts";
import type { Cursor, LogPage, ReadLog } from "../log/source.ts";
import type { LogBatch, LogCarrier, LogFeed, Place } from "./carrier.ts";

/** The part of a broker that a carrier uses. */
export interface Caller {
  call(action: string, params: unknown): Promise<unknown>;
}

export type ReadPage = (cursor: Cursor, limit: number, mark?: string) => Promise<LogPage>;
/** Reads the log of a service by its action. Throws CursorNotInLog. */
export const logOf =
  (broker: Caller, source: string): ReadPage =>
  async (cursor, limit, mark) => {
    const page = (await broker.call(`${source}.readLog`, { cursor, mark, limit } satisfies ReadLog)) as LogPage;
    if (page.fault) throw new CursorNotInLog(source, page.fault);
    return page;
  };

/** Bytes of an event whose owner does not tell them. */
const EVENT_BYTES = 1_000;

export class LocalCarrier implements LogCarrier {
  readonly #broker: Caller;
  readonly #feeds = new Set<LocalFeed>();
  constructor(broker: Caller) {
    this.#broker = broker;
  }

  open(source: string, { cursor, mark }: Place): LogFeed {
    const feed = new LocalFeed(source, cursor, mark, logOf(this.#broker, source), () => this.#feeds.delete(feed));
    this.#feeds.add(feed);
    return feed;
  }

  wake(source: string): void {
    for (const feed of this.#feeds) if (feed.source === source) feed.wake();
  }
}

/** Reads the log a page ahead of the caller. */
export class LocalFeed implements LogFeed {
  readonly source: string;
  readonly #read: ReadPage;
  readonly #onClose: () => void;
  readonly #poll = new Poll();
  #cursor: Cursor;
  #mark: string | undefined;
  /** The page after the one that was delivered, read while the caller handles that one. */
  #ahead: Promise<LogPage> | undefined;
  #atEnd = false;
  #closed = false;

  constructor(source: string, cursor: Cursor, mark: string | undefined, read: ReadPage, onClose: () => void) {
    this.source = source;
    this.#cursor = cursor;
    this.#mark = mark;
    this.#read = read;
    this.#onClose = onClose;
  }

  async next(limit: number): Promise<LogBatch> {
    // At the end of the log we wait for a hint, also after a page that was not full: reading on at once would make many
    // small batches of the events that one hint a few milliseconds later brings in one.
    if (this.#atEnd) await this.#poll.pause();
    if (this.#closed) return { events: [], cursor: this.#cursor, mark: this.#mark, isAtEnd: false, bytes: 0 };
    const reading = this.#ahead ?? this.#begin(limit);
    this.#ahead = undefined;
    const page = await reading;
    this.#cursor = page.cursor;
    this.#mark = page.mark;
    this.#atEnd = page.isAtEnd ?? page.events.length < limit;
    if (page.events.length > 0) this.#poll.found();
    if (!this.#atEnd) {
      this.#ahead = this.#begin(limit);
      this.#ahead.catch(() => {}); // the next call awaits it and gets the error
    }
    const { events, cursor, mark, bytes = events.length * EVENT_BYTES } = page;
    return { events, cursor, mark, isAtEnd: this.#atEnd, bytes };
  }

  wake(): void {
    this.#poll.wake();
  }

  close(): void {
    this.#closed = true;
    this.#onClose();
    this.#poll.close();
  }

  #begin(limit: number): Promise<LogPage> {
    this.#poll.begin();
    return this.#read(this.#cursor, limit, this.#mark);
  }
}
