// One reader of a log for all consumers of a process that are at its end. Six consumers that each read it would have every
// event read and decoded six times, and on a bus sent six times.
//
// A feed begins on its own. It joins the shared pages as soon as they cover its place, and where nobody shares yet, or those
// who do are behind, its reader becomes the shared one at the end of the log. From then on, whichever feed first wants
// events after the last page has them read, for all. Pages that all have taken are dropped; so is the oldest one when they
// are too many: a feed that still needs it, such as that of a consumer that is slow, or rebuilds, reads on by itself until
// the pages cover it again.
//
// Joining delivers an event again at most, and passes over none: consumers judge each by its version.
import { deepFreeze } from "../../kernel/index.ts";
import { isAtOrPast, type Cursor, type LogEvent } from "../log/source.ts";
import type { Batch, Carrier, Feed, LogCarrier, LogFeed, Place } from "./carrier.ts";

const limits = {
  /** Bytes and pages kept of one log for feeds that have not taken them. */
  bytes: 4 * 1024 * 1024,
  pages: 64,
};

export class SharedCarrier implements Carrier {
  readonly #carrier: LogCarrier;
  readonly #logs = new Map<string, SharedLog>();

  constructor(carrier: LogCarrier) {
    this.#carrier = carrier;
  }

  open(source: string, place: Place, takes?: (event: LogEvent) => boolean): Feed {
    let log = this.#logs.get(source);
    if (!log) this.#logs.set(source, (log = new SharedLog()));
    const alone = (from: Place): LogFeed => this.#carrier.open(source, from);
    return new SharedFeed(log, alone, place, takes);
  }

  wake(source: string): void {
    this.#carrier.wake(source);
  }
}

/** The events between two cursors of a log. The reader may need several batches until it reaches the second one. */
interface Page {
  readonly after: Place;
  readonly events: LogEvent[];
  /** Undefined until it is reached. */
  upTo: Place | undefined;
  bytes: number;
}

/** The pages of one log, from its end back to where the slowest feed is that shares them. */
class SharedLog {
  #reader: LogFeed | undefined;
  #reading: Promise<void> | undefined;
  /** In order, without a gap. The last one is not full yet. */
  #pages: Page[] = [];
  /** Number of the first page. It only grows: a page of another reader never has a number of one before. */
  #first = 0;
  #bytes = 0;
  #isAtEnd = false;
  /** Number of the page that each feed takes events of. */
  readonly #feeds = new Map<SharedFeed, number>();

  /** Number of the page from which a feed at this cursor goes on; undefined when the pages do not cover it. */
  join(feed: SharedFeed, cursor: Cursor): number | undefined {
    const index = this.#pages.findIndex(({ upTo }) => upTo === undefined || !isAtOrPast(cursor, upTo.cursor));
    const page = this.#pages[index];
    if (page === undefined) return undefined;
    const isCovered = page.upTo ? isAtOrPast(cursor, page.after.cursor) : cursor === page.after.cursor;
    if (!isCovered) return undefined;
    this.#feeds.set(feed, this.#first + index);
    return this.#first + index;
  }

  /** Goes on with the reader of this feed, which has come to the log's end. Feeds that are behind are on their own. */
  lead(feed: SharedFeed, reader: LogFeed, place: Place): number {
    this.#end();
    this.#reader = reader;
    this.#isAtEnd = true;
    this.#pages = [emptyPage(place)];
    this.#feeds.set(feed, this.#first);
    return this.#first;
  }

  /** Undefined when it was dropped. */
  page(number: number): Page | undefined {
    return this.#pages[number - this.#first];
  }

  /** Whether the log had no more after this page when it was read. */
  endsWith(page: Page): boolean {
    return this.#isAtEnd && page === this.#pages.at(-1);
  }

  /** Has the last page read on, once for all who ask meanwhile. When that fails, each feed is on its own. */
  read(limit: number): Promise<void> {
    if (this.#reading) return this.#reading;
    const reading = this.#read(this.#reader!, limit).finally(() => {
      if (this.#reading === reading) this.#reading = undefined;
    });
    return (this.#reading = reading);
  }

  /** A feed has come to this page. */
  moved(feed: SharedFeed, number: number): void {
    this.#feeds.set(feed, number);
    const least = Math.min(...this.#feeds.values());
    while (this.#first < least) this.#drop();
  }

  leave(feed: SharedFeed): void {
    if (this.#feeds.delete(feed) && this.#feeds.size === 0) this.#end();
  }

  async #read(reader: LogFeed, limit: number): Promise<void> {
    const batch = await reader.next(limit).catch((error: unknown) => {
      if (reader === this.#reader) this.#end();
      throw error;
    });
    if (reader !== this.#reader) return;
    const page = this.#pages.at(-1)!;
    for (const event of batch.events) page.events.push(deepFreeze(event));
    page.bytes += batch.bytes;
    this.#bytes += batch.bytes;
    this.#isAtEnd = batch.isAtEnd;
    if (batch.cursor === page.after.cursor) return;
    page.upTo = { cursor: batch.cursor, mark: batch.mark };
    this.#pages.push(emptyPage(page.upTo));
    while (this.#pages.length > 1 && (this.#bytes > limits.bytes || this.#pages.length > limits.pages)) this.#drop();
  }

  #drop(): void {
    this.#bytes -= this.#pages.shift()!.bytes;
    this.#first++;
  }

  #end(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#reading = undefined;
    this.#first += this.#pages.length;
    this.#pages = [];
    this.#bytes = 0;
    this.#feeds.clear();
  }
}

const emptyPage = (after: Place): Page => ({ after, events: [], upTo: undefined, bytes: 0 });

class SharedFeed implements Feed {
  readonly #log: SharedLog;
  readonly #open: (place: Place) => LogFeed;
  readonly #takes: ((event: LogEvent) => boolean) | undefined;
  #isClosed = false;
  /** Ends the wait for the log, if it is in one. */
  #endWait: (() => void) | undefined;
  #place: Place;
  /** Reads for this feed alone; undefined while it shares, and until it is needed. */
  #own: LogFeed | undefined;
  /** Number of the shared page that it takes events of, and how many it has taken; undefined while it is on its own. */
  #page: number | undefined;
  #taken = 0;

  constructor(log: SharedLog, open: (place: Place) => LogFeed, place: Place, takes?: (event: LogEvent) => boolean) {
    this.#log = log;
    this.#open = open;
    this.#takes = takes;
    // The caller moves its own.
    this.#place = { cursor: place.cursor, mark: place.mark };
    this.#join();
  }

  async next(limit: number): Promise<Batch> {
    const batch = (await this.#nextShared(limit)) ?? (await this.#nextAlone(limit));
    return this.#takes ? { ...batch, events: batch.events.filter(this.#takes) } : batch;
  }

  close(): void {
    this.#isClosed = true;
    this.#endWait?.();
    this.#own?.close();
    this.#log.leave(this);
  }

  #join(): boolean {
    this.#page = this.#log.join(this, this.#place.cursor);
    this.#taken = 0;
    return this.#page !== undefined;
  }

  async #nextAlone(limit: number): Promise<Batch> {
    const own = (this.#own ??= this.#open(this.#place));
    const batch = await own.next(limit);
    for (const event of batch.events) deepFreeze(event);
    if (this.#isClosed) return batch;
    this.#place = { cursor: batch.cursor, mark: batch.mark };
    if (this.#join()) own.close();
    else if (batch.isAtEnd) this.#page = this.#log.lead(this, own, this.#place);
    else return batch;
    this.#own = undefined;
    return batch;
  }

  /** Undefined when its page was dropped: from here on the feed is on its own. */
  async #nextShared(limit: number): Promise<Batch | undefined> {
    for (let hasRead = false; ; hasRead = true) {
      if (this.#isClosed) return this.#batch([]);
      const page = this.#pageAtHand();
      if (!page) return undefined;
      const events = page.events.slice(this.#taken, this.#taken + limit);
      this.#taken += events.length;
      if (events.length > 0 || hasRead) return this.#batch(events);
      await this.#readOrClosed(limit);
    }
  }

  /**
   * Ends with the reading, or when the feed is closed. A race against one promise of the feed's would leave something with that
   * one each time, for as long as the feed is open: 312 bytes a wait.
   */
  #readOrClosed(limit: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#endWait = resolve;
    this.#log.read(limit).then(resolve, reject);
    return promise;
  }

  /** The page to take events of: the next one when it has taken all of one that is full. */
  #pageAtHand(): Page | undefined {
    if (this.#page === undefined) return undefined;
    let page = this.#log.page(this.#page);
    while (page?.upTo && this.#taken === page.events.length) {
      this.#place = page.upTo;
      this.#taken = 0;
      this.#log.moved(this, ++this.#page);
      page = this.#log.page(this.#page);
    }
    if (!page) this.#page = undefined;
    return page;
  }

  #batch(events: readonly LogEvent[]): Batch {
    const page = this.#pageAtHand();
    const isAtEnd = page !== undefined && this.#taken === page.events.length && this.#log.endsWith(page);
    return { events, ...this.#place, isAtEnd };
  }
}
