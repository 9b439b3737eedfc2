// A feed that takes what the relay publishes, and reads the owner's log wherever that does not reach. Its place is a
// place in the log, as with any carrier: JetStream's own numbers are nowhere kept.
//
//   on the log    at first, after a hole, whenever JetStream is away: page after page, to the end; there it opens a tail
//                 of what is published from then on, and once that flows and the log is at its end again, goes over.
//   on the tail   a message is taken if it follows what we have (its page begins at our place or before it, and none of
//                 the page is missing); what we have had is dropped. Anything else is a hole, whatever made it: messages
//                 lost or out of order, a stream deleted or begun anew, two relays, an event too large for a message, one
//                 in the shape of another version of the owner, the log of another database: back to the log. A page says
//                 which event it follows (`follows`), since a log that was put back from a copy has the same numbers.
//
// A hole shows at the next message. If there is none, we look at the log, soon after a hint, else every 2 s.
import { Pause } from "../../../kernel/index.ts";
import type { Batch, Feed } from "../carrier.ts";
import { LocalFeed, type ReadPage } from "../local.ts";
import { isAtOrPast, type Cursor, type LogEvent } from "../../log/source.ts";
import { digestOfMark, type Carried, type Channel } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { Tail } from "./tail.ts";

const limits = {
  /** Milliseconds that `next` waits for a message. */
  waitMs: 500,
  /** Milliseconds without a new event until we look at the log; after a hint, within which the event must have come. */
  silentMs: 2_000,
  hintedMs: 500,
  /** Milliseconds until a tail that has ended, or could not be opened, is followed by another. */
  reopenMs: 1_000,
};

export class JetStreamFeed implements Feed {
  readonly source: string;
  readonly #read: ReadPage;
  readonly #connection: Connection;
  readonly #channel: Channel;
  readonly #onClose: () => void;
  #cursor: Cursor;
  #mark: string | undefined;
  /** On the log: what reads it. On the tail: undefined. */
  #log: LocalFeed | undefined;
  #tail: Tail | undefined;
  /** When the last tail was opened; monotonic. */
  #openedAt = -Infinity;
  /** The page of which some messages have been taken, up to this one. */
  #within: Carried | undefined;
  /** A page that begins before our place, after whose arrival the owner has looked our place up. */
  #lookedUp: Carried | undefined;
  /** Of the log, as its owner told it last. */
  #origin: string | undefined;
  /** Messages kept when the last read of the log began: that read has covered them. */
  #covered = 0;
  /** On the tail: when to look at the log unless something comes; monotonic. */
  #lookAt = 0;
  /** On the log because the tail is silent. */
  #isLooking = false;
  #closed = false;
  readonly #pause = new Pause();

  constructor(
    source: string,
    cursor: Cursor,
    mark: string | undefined,
    read: ReadPage,
    connection: Connection,
    channel: Channel,
    onClose: () => void,
  ) {
    this.source = source;
    this.#cursor = cursor;
    this.#mark = mark;
    this.#connection = connection;
    this.#channel = channel;
    this.#onClose = onClose;
    this.#read = async (cursor, limit, mark) => {
      this.#covered = this.#tail?.size ?? 0;
      const page = await read(cursor, limit, mark);
      this.#origin = page.origin;
      return page;
    };
    this.#toLog();
  }

  async next(limit: number): Promise<Batch> {
    if (this.#log) return this.#nextOfLog(this.#log, limit);
    await this.#arrival();
    await this.#lookUp(this.#tail?.first);
    const events = this.#take(limit);
    if (events.length > 0) this.#lookAt = performance.now() + limits.silentMs;
    else if (!this.#closed && this.#lookAround()) return this.next(limit);
    return { events, cursor: this.#cursor, mark: this.#mark };
  }

  wake(): void {
    this.#log?.wake();
    this.#lookAt = Math.min(this.#lookAt, performance.now() + limits.hintedMs);
  }

  close(): void {
    this.#closed = true;
    this.#onClose();
    this.#log?.close();
    this.#tail?.close();
    this.#pause.end();
  }

  // ---- on the log

  async #nextOfLog(log: LocalFeed, limit: number): Promise<Batch> {
    const batch = await log.next(limit);
    if (this.#closed) return batch;
    this.#cursor = batch.cursor;
    this.#mark = batch.mark;
    this.#within = undefined;
    if (this.#isLooking && batch.events.length > 0) {
      // It is silent and should not be: a consumer that the server has lost between two pulls gets no word of that.
      this.#tail?.close();
      this.#covered = 0;
    }
    this.#isLooking = false;
    if (batch.events.length < limit) this.#towardsTail(log);
    return batch;
  }

  #towardsTail(log: LocalFeed): void {
    const { jetStream } = this.#connection;
    if (this.#tail?.state === "ended") this.#tail = undefined;
    if (this.#tail?.state === "flowing") {
      this.#tail.drop(this.#covered);
      this.#log = undefined;
      this.#lookAt = performance.now() + limits.silentMs;
      log.close();
    } else if (this.#tail === undefined && jetStream && performance.now() - this.#openedAt > limits.reopenMs) {
      this.#openedAt = performance.now();
      this.#tail = new Tail(jetStream, this.#channel, () => this.#onTail());
    }
  }

  #toLog(): void {
    this.#log = new LocalFeed(this.source, this.#cursor, this.#mark, this.#read, () => {});
  }

  // ---- on the tail

  /** What follows our place, in order; less than is kept when there is a hole. */
  #take(limit: number): LogEvent[] {
    const events: LogEvent[] = [];
    const tail = this.#tail!;
    for (let next = tail.first; next && events.length < limit; next = tail.first) {
      if (this.#follows(next)) {
        events.push(next.event!);
        this.#within = next;
        if (next.index === next.count) {
          this.#cursor = next.upTo;
          this.#mark = next.mark;
          this.#within = undefined;
        }
      } else if (!this.#isHad(next)) break;
      tail.drop(1);
    }
    return events;
  }

  #follows(message: Carried): boolean {
    const { origin, after, upTo, index, event } = message;
    if (event === undefined || origin !== this.#origin) return false;
    const within = this.#within;
    if (within?.after === after && within.upTo === upTo) return index === within.index + 1;
    return index === 1 && !isAtOrPast(this.#cursor, upTo) && this.#isSameLog(message);
  }

  /** A page that begins at our place tells by its mark whether it is our log's; of one that began before, the owner does. */
  #isSameLog({ after, upTo, follows }: Carried): boolean {
    if (after !== this.#cursor) return this.#lookedUp?.after === after && this.#lookedUp.upTo === upTo;
    return after === "" || (follows !== undefined && follows === digestOfMark(this.#mark));
  }

  /**
   * A relay's pages lie otherwise than ours: the first after the log mostly begins before our place. Throws CursorNotInLog.
   * Looked up after it has arrived: whoever published it reads the same log as the owner by then.
   */
  async #lookUp(message: Carried | undefined): Promise<void> {
    if (message?.index !== 1 || message.after === this.#cursor || message.origin !== this.#origin) return;
    if (!isAtOrPast(this.#cursor, message.after) || isAtOrPast(this.#cursor, message.upTo)) return;
    await this.#read(this.#cursor, 1, this.#mark);
    this.#lookedUp = message;
  }

  #isHad({ origin, after, upTo, index }: Carried): boolean {
    const within = this.#within;
    if (within?.after === after && within.upTo === upTo) return index <= within.index;
    return origin === this.#origin && isAtOrPast(this.#cursor, upTo);
  }

  /** Nothing could be taken: goes back to the log if there is a reason. */
  #lookAround(): boolean {
    const { first, state } = this.#tail!;
    if (first === undefined && state === "flowing" && performance.now() < this.#lookAt) return false;
    this.#isLooking = first === undefined;
    this.#toLog();
    return true;
  }

  /** Resolves when a message is there, or something else is to be seen to, or after a while. */
  async #arrival(): Promise<void> {
    const end = performance.now() + limits.waitMs;
    for (;;) {
      const ms = Math.min(end, this.#lookAt) - performance.now();
      if (this.#closed || this.#tail!.size > 0 || this.#tail!.state === "ended" || ms <= 0) return;
      await this.#pause.wait(ms);
    }
  }

  #onTail(): void {
    if (this.#log && this.#tail?.state === "flowing" && this.#tail.size === 0) this.#log.wake();
    this.#pause.end();
  }
}
