// Tells which log a place belongs to. A cursor is only a number: in a log that was put back from an older copy the same
// number is another event, or none yet, and a reader that goes on there passes over the events that are written next.
// So a place has a mark beside its cursor: the log's identity, and the last event before the place with a digest of its
// content. The owner looks both up before it reads on from there.
//
//   restored  the copy ends before the place, or other events have been written since: the event is missing or differs
//   reset     the database is new: its identity differs
//   copied    a log that was dumped and loaded, elsewhere too, keeps its identity, and is the same log up to the place
//             as long as the event at the place is there
//
// A log on several databases has a mark for each. An event that has moved to another shard is found there.
import { hash } from "node:crypto";
import { placesOf } from "./cursors.ts";
import type { Cursor, EventStore, StoredEvent } from "./event-store.ts";

/** Opaque to readers. */
export type Mark = string;
/** The mark of one database: identity of its log, the stream and version of the event, its digest. */
type Part = readonly [log: string, stream: string, version: number, digest: string];
type Parts = Readonly<Record<string, Part>>;

/**
 * Digest of an event and of the place after it: the place is in it so that a cursor that was damaged, or set by hand,
 * does not fit. Without position and transaction: both may change when a log is dumped and loaded.
 */
export function digestOf(place: Cursor, event: Omit<StoredEvent, "position">): string {
  const { stream, version, type, schemaVersion, data, metadata, at } = event;
  const text = JSON.stringify([place, stream, version, type, schemaVersion, data, metadata, at]);
  return hash("sha256", text, "base64url").slice(0, 22);
}

/** Mark of a place in the log of one database, by the last event before it. */
export function markOf(log: string, place: Cursor, event: StoredEvent): Mark {
  const { stream, version } = event;
  return JSON.stringify({ 0: [log, stream, version, digestOf(place, event)] } satisfies Parts);
}

/** Mark of a place on several databases, by the marks in each. */
export const markOfShards = (marks: ReadonlyMap<number, Mark>): Mark | undefined =>
  marks.size === 0
    ? undefined
    : JSON.stringify(Object.fromEntries([...marks].map(([shard, mark]) => [shard, partsOf(mark)!["0"]])));

/** Mark of the place after a page: a database without a new event in it keeps the mark before it. */
export function nextMark(before: Mark | undefined, page: Mark | undefined): Mark | undefined {
  if (page === undefined || before === undefined) return page ?? before;
  return JSON.stringify({ ...partsOf(before), ...partsOf(page) });
}

/** The event that each part of a mark names. Undefined for text that is no mark. */
export function partsOf(mark: Mark): Parts | undefined {
  try {
    const parts: unknown = JSON.parse(mark);
    const isMark = typeof parts === "object" && parts !== null && Object.values(parts).every(isPart);
    return isMark ? (parts as Parts) : undefined;
  } catch {
    return undefined;
  }
}
const isPart = (part: unknown): boolean =>
  Array.isArray(part) && ["string", "string", "number", "string"].every((type, i) => typeof part[i] === type);

type Log = Pick<EventStore, "readStream" | "head" | "identities">;

const limits = {
  /** Milliseconds for which a place that was found to be in the log is not looked up again. */
  goodMs: 5_000,
  /** Places remembered: each consumer has one. */
  places: 1_000,
};

/** Asks one store whether places are in its log. */
export class PlaceChecks {
  readonly #log: Log;
  readonly #monotonic: () => number;
  readonly #good = new Map<string, number>();

  constructor(log: Log, monotonic = (): number => performance.now()) {
    this.#log = log;
    this.#monotonic = monotonic;
  }

  /**
   * A place that this store has just given. Giving it again, as to a reader that waits at the log's end, does not keep
   * it good for longer: the log may be put back under the node.
   */
  given(cursor: Cursor, mark: Mark | undefined): void {
    if (!this.#good.has(`${cursor} ${mark}`)) this.#remember(cursor, mark);
  }

  /** Why a place is not in this log; undefined if it is, as far as its mark can tell. */
  async faultOf(cursor: Cursor, mark: Mark | undefined): Promise<string | undefined> {
    const until = this.#good.get(`${cursor} ${mark}`);
    if (until !== undefined && this.#monotonic() < until) return undefined;
    const fault = await faultOf(this.#log, cursor, mark);
    if (fault === undefined) this.#remember(cursor, mark);
    else this.#good.delete(`${cursor} ${mark}`);
    return fault;
  }

  #remember(cursor: Cursor, mark: Mark | undefined): void {
    this.#good.set(`${cursor} ${mark}`, this.#monotonic() + limits.goodMs);
    for (const key of this.#good.keys()) {
      if (this.#good.size <= limits.places) break;
      this.#good.delete(key);
    }
  }
}

const PLACE = /^\d{1,20}(:\d{1,16})?$/;

async function faultOf(log: Log, cursor: Cursor, mark: Mark | undefined): Promise<string | undefined> {
  if (cursor === "") return undefined;
  const places = placesOf(cursor);
  if ([...places.values()].some(place => !PLACE.test(place))) return `"${cursor}" is no place of a log`;
  const parts = mark === undefined ? {} : partsOf(mark);
  if (parts === undefined) return `"${mark}" is no mark of a log`;
  const identities = await log.identities();
  for (const [shard, place] of places) {
    const part = parts[shard];
    // An older release has written the place without a mark: only its number is known.
    if (part === undefined) continue;
    const [identity, stream, version, digest] = part;
    const event = `${stream}@${version}, the last event before the place,`;
    if (!identities.includes(identity)) return `the log is another one: the place is in log ${identity}`;
    const [found] = await log.readStream(stream, version, 1);
    if (found?.version !== version) return `${event} is not in the log`;
    if (digestOf(place, found) !== digest) return `${event} is another one in the log`;
  }
  return mark === undefined ? faultOfNumber(log, cursor) : undefined;
}

/**
 * By the number alone: the place lies past the head. Not on several databases, where the newest event of one may have
 * moved to another. On Postgres both transaction and position must be past it: a position alone is no order, and a
 * transaction alone is another server's.
 */
async function faultOfNumber(log: Log, cursor: Cursor): Promise<string | undefined> {
  if (cursor.includes("=")) return undefined;
  const head = (await log.head("")).cursor;
  if (head.includes("=")) return undefined;
  const numbers = (place: Cursor): bigint[] => (place === "" ? [0n] : place.split(":").map(BigInt));
  const [here, newest] = [numbers(cursor), numbers(head)];
  const isPast = here[0]! > newest[0]! || (here[0] === newest[0] && here.at(-1)! > newest.at(-1)!);
  return isPast && here.at(-1)! > newest.at(-1)!
    ? `the place ${cursor} lies past the log's end at ${head || "0"}`
    : undefined;
}
