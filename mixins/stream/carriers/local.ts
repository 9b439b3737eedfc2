// The carrier that needs no server: each feed reads the owner's log by its action, at once when a commit is hinted at,
// else by polling. It costs one read of the log a consumer, and nothing when nothing happens.
import type { Cursor, LogPage, ReadLog } from "../source.ts";
import type { Batch, Carrier, Feed } from "./carrier.ts";

const limits = {
  /**
   * Milliseconds between two looks at an idle log: the first after activity, doubling up to the second. The first is
   * short: on Postgres a commit that we are told of stays hidden until the transactions beside it have ended.
   */
  pollMinMs: 5,
  pollMaxMs: 500,
};

/** What a carrier needs of a broker. */
export interface Caller {
  call(action: string, params: unknown): Promise<unknown>;
}

export class LocalCarrier implements Carrier {
  readonly #broker: Caller;
  readonly #feeds = new Set<LocalFeed>();
  constructor(broker: Caller) {
    this.#broker = broker;
  }

  partitions(): readonly string[] {
    return ["0"];
  }

  open(source: string, _partition: string, cursor: Cursor): Feed {
    const read = (cursor: Cursor, limit: number): Promise<LogPage> =>
      this.#broker.call(`${source}.readLog`, { cursor, limit } satisfies ReadLog) as Promise<LogPage>;
    const feed = new LocalFeed(source, cursor, read, () => this.#feeds.delete(feed));
    this.#feeds.add(feed);
    return feed;
  }

  wake(source: string): void {
    for (const feed of this.#feeds) if (feed.source === source) feed.wake();
  }
}

class LocalFeed implements Feed {
  readonly source: string;
  readonly #read: (cursor: Cursor, limit: number) => Promise<LogPage>;
  readonly #onClose: () => void;
  #cursor: Cursor;
  #pauseMs = limits.pollMinMs;
  /** The page after the one that was delivered, read while that one is being worked on. */
  #ahead: Promise<LogPage> | undefined;
  /** A hint that came since the last read began: that read may have missed the commit. */
  #hinted = false;
  #atEnd = false;
  #closed = false;
  #endPause: (() => void) | undefined;

  constructor(
    source: string,
    cursor: Cursor,
    read: (cursor: Cursor, limit: number) => Promise<LogPage>,
    onClose: () => void,
  ) {
    this.source = source;
    this.#cursor = cursor;
    this.#read = read;
    this.#onClose = onClose;
  }

  async next(limit: number): Promise<Batch> {
    // At the end of the log we wait for a hint, also after a page that was not full: reading on at once would make many
    // small batches of what one hint a few milliseconds later brings in one.
    if (this.#atEnd) await this.#pause();
    if (this.#closed) return { events: [], cursor: this.#cursor };
    const reading = this.#ahead ?? this.#begin(limit);
    this.#ahead = undefined;
    const page = await reading;
    this.#cursor = page.cursor;
    this.#atEnd = page.events.length < limit;
    if (page.events.length > 0) this.#pauseMs = limits.pollMinMs;
    if (!this.#atEnd) {
      this.#ahead = this.#begin(limit);
      this.#ahead.catch(() => {}); // whoever awaits it next gets the error
    }
    return page;
  }

  wake(): void {
    this.#hinted = true;
    this.#endPause?.();
  }

  close(): void {
    this.#closed = true;
    this.#onClose();
    this.#endPause?.();
  }

  #begin(limit: number): Promise<LogPage> {
    this.#hinted = false;
    return this.#read(this.#cursor, limit);
  }

  async #pause(): Promise<void> {
    if (this.#hinted || this.#closed) return;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, this.#pauseMs);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#endPause = undefined;
    this.#pauseMs = this.#hinted ? limits.pollMinMs : Math.min(limits.pollMaxMs, this.#pauseMs * 2);
  }
}
