// Pages of the events that one node publishes, where several share the publishing: each has its events in a row, between the
// place of the event before it and that of its last one. Every node finds the same places, as all read one log; so the pages of
// all of them join (see Carried).
import { digestOfMark, originOfShards } from "../carriers/message.ts";
import type { LogEntry } from "../log/part.ts";
import { partOf, shardOf, type Place } from "../log/places.ts";
import type { LogEvent } from "../log/source.ts";
import type { Sent } from "./relay.ts";

type Point = Pick<LogEntry, "cursor" | "mark">;
type Own = LogEntry & { readonly event: LogEvent };

export class PartPages {
  readonly #origin: string;
  readonly #begin: Place;
  /** The last event of each database; of a log on a single one, under -1. */
  readonly #last = new Map<number, Point>();

  /** `begin`: where the log is read from. */
  constructor(origin: string, begin: Place) {
    this.#origin = origin;
    this.#begin = begin;
  }

  /** The messages of those of the next events of the log that are to be published: in order, for the events of each database. */
  messagesOf(entries: readonly LogEntry[], isOwn: (entry: LogEntry) => boolean): Sent[] {
    const messages: Sent[] = [];
    const rows = new Map<number, { readonly after: Point; readonly events: Own[] }>();
    const end = (shard: number): void => {
      const row = rows.get(shard);
      if (row) messages.push(...this.#pageOf(shard, row.after, row.events));
      rows.delete(shard);
    };
    for (const entry of entries) {
      const shard = entry.cursor.includes("=") ? shardOf(entry.cursor) : SINGLE;
      if (entry.event === undefined || !isOwn(entry)) end(shard);
      else {
        const row = rows.get(shard) ?? { after: this.#before(shard), events: [] };
        row.events.push(entry as Own);
        rows.set(shard, row);
      }
      this.#last.set(shard, entry);
    }
    for (const shard of [...rows.keys()]) end(shard);
    return messages;
  }

  #before(shard: number): Point {
    const last = this.#last.get(shard);
    if (last) return last;
    const { cursor, mark } = shard === SINGLE ? this.#begin : partOf(this.#begin, shard);
    return { cursor, mark: () => mark };
  }

  #pageOf(shard: number, after: Point, events: readonly Own[]): Sent[] {
    const { cursor: upTo, mark } = events.at(-1)!;
    const follows = digestOfMark(after.mark());
    const markAt = mark();
    return events.map(({ event }, i) => ({
      origin: shard === SINGLE ? this.#origin : originOfShards(this.#origin),
      after: after.cursor,
      upTo,
      index: i + 1,
      count: events.length,
      ...(follows !== undefined && { follows }),
      ...(markAt !== undefined && i + 1 === events.length && { mark: markAt }),
      event,
    }));
  }
}

const SINGLE = -1;
