// A feed that takes the messages of the relay, and reads the owner's log where they do not reach. Its cursor is one of the
// log, as with any carrier: the numbers of JetStream, or Kafka's, are kept nowhere.
//
//   on the log    at first, after a gap, and whenever the carrier's server is away: page after page, to the end. There it opens a tail
//                 of the messages from then on, and changes over once the tail flows and the log is at its end again.
//   on the tail   a message is taken if it follows our cursor (its page begins at the cursor or before it, and none of the
//                 page is missing), and dropped if we have had it. Anything else is a gap: messages lost or out of order,
//                 a stream deleted or begun anew, two relays, an event too large for a message, one in the shape of
//                 another version of the owner, the log of another database, one that the owner has not sealed. A gap leads back to the log. A page tells
//                 which event it follows (`follows`), since a log that was put back from a copy has the same numbers.
//
// Where nodes have no keys, messages have no seals, and anybody who can publish may have sent them: the owner is asked
// whether the place that a batch leads to is in its log, before a reader keeps it. One message with a place beyond the log's
// end, or with a mark of no log, would otherwise make each consumer pass over everything, or stop. One question a batch.
//
// A gap shows at the next message. While there is none, we look at the log, soon after a hint, else every 2 s.
import type { ServiceBroker } from "moleculer";
import { Pause } from "../../kernel/index.ts";
import type { LogBatch, LogFeed } from "./carrier.ts";
import { LocalFeed, type ReadPage } from "./local.ts";
import { CursorNotInLog } from "../log/identity.ts";
import { partOf, shardOf, withPart, type Place } from "../log/places.ts";
import { metersOf } from "../../metrics/index.ts";
import { streamMetrics } from "../metrics.ts";
import { isAtOrPast, type Cursor, type LogEvent } from "../log/source.ts";
import { digestOfMark, isOfShard, isSealed, originOfShards, type Carried, type Received } from "./message.ts";

const limits = {
  /** Milliseconds that `next` waits for a message. */
  waitMs: 500,
  /** Milliseconds without a new event until we look at the log, and milliseconds after a hint until we do. */
  silentMs: 2_000,
  hintedMs: 500,
  /** Milliseconds between two tails, if one ends or cannot be opened. */
  reopenMs: 1_000,
};

/** The counters of a feed. */
export interface FeedCounters {
  readonly redelivered: { add(): void };
  readonly gaps: { add(): void };
}
/** The counters of a source's messages; undefined where nothing is measured. */
export function feedCounters(broker: ServiceBroker, service: string): FeedCounters | undefined {
  const meters = metersOf(broker);
  return (
    meters && {
      redelivered: meters.counter(streamMetrics.carrierRedelivered, { service }),
      gaps: meters.counter(streamMetrics.carrierGaps, { service }),
    }
  );
}

/** The messages of a relay from now on, in the log's order as far as they came. */
export interface Tail {
  readonly state: "opening" | "flowing" | "ended";
  /** Messages that are kept until they are dropped. */
  readonly size: number;
  /** The oldest of them. */
  readonly first: Received | undefined;
  drop(count: number): void;
  /** The reader has come to this place of the log by itself: messages from there on are next, unless some are kept. */
  goOn(origin: string, cursor: Cursor): void;
  close(): void;
}

/** Opens a tail; undefined while the server is away. `onChange` is called when a message has come, or the state has changed. */
export type OpenTail = (onChange: () => void) => Tail | undefined;

export class RelayedFeed implements LogFeed {
  readonly source: string;
  readonly #read: ReadPage;
  /** The same, of which the feed remembers nothing. */
  readonly #ask: ReadPage;
  readonly #openTail: OpenTail;
  readonly #count: FeedCounters | undefined;
  readonly #onClose: () => void;
  #cursor: Cursor;
  #mark: string | undefined;
  /** Reads the log; undefined on the tail. */
  #log: LocalFeed | undefined;
  #tail: Tail | undefined;
  /** When the last tail was opened; monotonic. */
  #openedAt = -Infinity;
  /** The last message that was taken of a page, if the page has more. */
  #within: Carried | undefined;
  /** A page that begins before our cursor, and after whose arrival the owner has looked our cursor up. */
  #lookedUp: Carried | undefined;
  /** Origin of the log, as its owner told it last. */
  #origin: string | undefined;
  /** Secret of its relay's seals, likewise. */
  #seal: string | undefined;
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
    openTail: OpenTail,
    { count, onClose }: { readonly count: FeedCounters | undefined; readonly onClose: () => void },
  ) {
    this.source = source;
    this.#cursor = cursor;
    this.#mark = mark;
    this.#openTail = openTail;
    this.#count = count;
    this.#onClose = onClose;
    this.#ask = read;
    this.#read = async (cursor, limit, mark) => {
      this.#covered = this.#tail?.size ?? 0;
      const page = await read(cursor, limit, mark);
      this.#origin = page.origin;
      this.#seal = page.seal;
      return page;
    };
    this.#toLog();
  }

  async next(limit: number): Promise<LogBatch> {
    if (this.#log) return this.#nextOfLog(this.#log, limit);
    await this.#arrival();
    await this.#lookUp(this.#tail?.first);
    const before = { cursor: this.#cursor, mark: this.#mark };
    const { events, bytes } = this.#take(limit);
    if (!(await this.#leadsIntoLog(before.cursor))) {
      this.#cursor = before.cursor;
      this.#mark = before.mark;
      this.#within = undefined;
      this.#toLog();
      return this.next(limit);
    }
    if (events.length > 0) this.#lookAt = performance.now() + limits.silentMs;
    else if (!this.#closed && this.#lookAround()) return this.next(limit);
    const isAtEnd = this.#within === undefined && !this.#tail?.size;
    return { events, cursor: this.#cursor, mark: this.#mark, isAtEnd, bytes };
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

  async #nextOfLog(log: LocalFeed, limit: number): Promise<LogBatch> {
    const batch = await log.next(limit);
    if (this.#closed) return batch;
    this.#cursor = batch.cursor;
    this.#mark = batch.mark;
    this.#within = undefined;
    if (this.#isLooking && batch.events.length > 0) {
      // The tail is silent although there are events: the server has lost its consumer between two pulls, unnoticed.
      this.#tail?.close();
      this.#covered = 0;
    }
    this.#isLooking = false;
    if (batch.isAtEnd) this.#towardsTail(log);
    return batch;
  }

  #towardsTail(log: LocalFeed): void {
    if (this.#tail?.state === "ended") this.#tail = undefined;
    if (this.#tail?.state === "flowing") {
      this.#tail.drop(this.#covered);
      if (this.#origin !== undefined) this.#tail.goOn(this.#origin, this.#cursor);
      this.#log = undefined;
      this.#lookAt = performance.now() + limits.silentMs;
      log.close();
    } else if (this.#tail === undefined && performance.now() - this.#openedAt > limits.reopenMs) {
      this.#tail = this.#openTail(() => this.#onTail());
      if (this.#tail) this.#openedAt = performance.now();
    }
  }

  #toLog(): void {
    this.#log = new LocalFeed(this.source, this.#cursor, this.#mark, this.#read, () => {});
  }

  // ---- on the tail

  /** The messages that follow our cursor, in order, up to a gap. */
  #take(limit: number): { readonly events: LogEvent[]; readonly bytes: number } {
    const events: LogEvent[] = [];
    let bytes = 0;
    const tail = this.#tail!;
    for (let next = tail.first; next && events.length < limit; next = tail.first) {
      if (this.#follows(next)) {
        events.push(next.event!);
        bytes += next.size;
        this.#within = next;
        if (next.index === next.count) this.#passTo(next);
      } else if (this.#isHad(next)) this.#count?.redelivered.add();
      else break;
      tail.drop(1);
    }
    return { events, bytes };
  }

  /** A page has been taken, of the whole log or of one database of it. */
  #passTo(page: Carried): void {
    const end = { cursor: page.upTo, mark: page.mark };
    const { cursor, mark } = isOfShard(page) ? withPart({ cursor: this.#cursor, mark: this.#mark }, end) : end;
    this.#cursor = cursor;
    this.#mark = mark;
    this.#within = undefined;
  }

  /** Our place in the log, or in the one database of it that a page is of. */
  #placeIn(page: Carried): Place {
    const place = { cursor: this.#cursor, mark: this.#mark };
    return isOfShard(page) ? partOf(place, shardOf(page.upTo)) : place;
  }

  /** Whether a page is of this log, in the shape in which its owner tells it. */
  #isOurs({ origin }: Carried): boolean {
    return this.#origin !== undefined && (origin === this.#origin || origin === originOfShards(this.#origin));
  }

  /** Whether the place that the messages have led to is in the owner's log. A seal says so as well. */
  async #leadsIntoLog(before: Cursor): Promise<boolean> {
    if (this.#seal !== undefined || this.#cursor === before) return true;
    try {
      await this.#ask(this.#cursor, 0, this.#mark);
      return true;
    } catch (error) {
      if (error instanceof CursorNotInLog) return false;
      throw error;
    }
  }

  #follows(message: Received): boolean {
    const { after, upTo, index, event } = message;
    if (event === undefined || !this.#isOurs(message)) return false;
    if (this.#seal !== undefined && !isSealed(message, this.#seal)) return false;
    const within = this.#within;
    if (within?.after === after && within.upTo === upTo) return index === within.index + 1;
    return index === 1 && !isAtOrPast(this.#cursor, upTo) && this.#isSameLog(message);
  }

  /**
   * Whether a page is of our log: the mark tells for a page that begins at our cursor, the owner for one that begins
   * before it.
   */
  #isSameLog(page: Carried): boolean {
    const { after, upTo, follows } = page;
    const { cursor, mark } = this.#placeIn(page);
    if (after !== cursor) return this.#lookedUp?.after === after && this.#lookedUp.upTo === upTo;
    return after === "" || (follows !== undefined && follows === digestOfMark(mark));
  }

  /**
   * Has the owner look our cursor up. The relay divides the log into other pages than we do, so that its first one after we
   * leave the log mostly begins before our cursor. Looked up once the page has arrived: the relay that published it has
   * read the same log as the owner reads by then. Throws CursorNotInLog.
   */
  async #lookUp(message: Carried | undefined): Promise<void> {
    if (message?.index !== 1 || !this.#isOurs(message) || message.after === this.#placeIn(message).cursor) return;
    if (!isAtOrPast(this.#cursor, message.after) || isAtOrPast(this.#cursor, message.upTo)) return;
    await this.#read(this.#cursor, 1, this.#mark);
    this.#lookedUp = message;
  }

  #isHad(message: Carried): boolean {
    const { after, upTo, index } = message;
    const within = this.#within;
    if (within?.after === after && within.upTo === upTo) return index <= within.index;
    return this.#isOurs(message) && isAtOrPast(this.#cursor, upTo);
  }

  /** Goes back to the log if there is a reason, after no message could be taken. Answers whether it does. */
  #lookAround(): boolean {
    const { first, state } = this.#tail!;
    if (first === undefined && state === "flowing" && performance.now() < this.#lookAt) return false;
    this.#isLooking = first === undefined;
    if (first !== undefined) this.#count?.gaps.add();
    this.#toLog();
    return true;
  }

  /** Resolves when a message has come, when the tail has ended or the feed is closed, or after a while. */
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
