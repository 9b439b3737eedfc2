// The port through which a consumer reads the log of the service that owns an event: an internal action,
// `<service>.readLog`, answered by whatever mixes in an event store.
import type { Recorded } from "../../contract/index.ts";
import type { CursorFault } from "./identity.ts";

/** Opaque place in a service's log; `""` is the start. */
export type Cursor = string;

export type LogEvent = Recorded & {
  /** Why the owner's node could not decode it: an unknown type, an upcaster that is missing or throws. `data` is then raw. */
  readonly broken?: string;
  /** It is not damaged: another release wrote it, whose nodes read it. Beside `broken`, which older releases know. */
  readonly isNewer?: true;
};

export interface LogPage {
  /** Upcast to today's schema, in log order. */
  readonly events: readonly LogEvent[];
  readonly cursor: Cursor;
  /** What tells the place at `cursor` from the same number in another log; opaque. Not there from an older release. */
  readonly mark?: string | undefined;
  /** Instead of events: the place that was asked from is not in this log. */
  readonly fault?: CursorFault;
  /**
   * Which log it is, and in which shape its events are told: another one after a reset of the database, or with another
   * version of an event. Only where a carrier brings events that were told before, and has to tell them from today's.
   */
  readonly origin?: string | undefined;
  /** Events after the cursor; only in the answer to `limit: 0`. */
  readonly behind?: number;
  /** End of the log; only in the answer to `limit: 0`. */
  readonly head?: Cursor;
}

/**
 * Params of `<service>.readLog`: the events of all streams after `cursor`. All types, always: a consumer tells a hole
 * from a type that it does not subscribe to only by the versions of every event of a stream.
 */
export interface ReadLog {
  readonly cursor: Cursor;
  /** That came with the cursor. The owner looks whether the place is in its log before it reads on from there. */
  readonly mark?: string | undefined;
  /** 0 asks only how many events lie after the cursor. */
  readonly limit: number;
  /** Instead: this actor's events from version `from` on. The answer's cursor is the one that was given. */
  readonly stream?: { readonly id: string; readonly from: number };
}

/** Broadcast on the broker after commits, as a hint that there is something to read. Lossy: consumers poll as well. */
export const COMMITTED = "stream.committed";
export interface Committed {
  readonly service: string;
}

/** Broadcast every few seconds while a consumer has stopped because its place is not in the log. */
export const STOPPED = "stream.stopped";
export interface ConsumerStopped {
  readonly service: string;
  readonly consumer: string;
  readonly source: string;
}

/**
 * Whether a reader at `cursor` has read everything that one at `other` has, in one service's log. The parts of a place
 * between colons are whole numbers, the most significant first. The log of a service on several databases has a place in
 * each, `<shard>=<place>` with commas between: of two such, neither may be at or past the other. A place alone was written
 * when shard 0 was the whole.
 */
export function isAtOrPast(cursor: Cursor, other: Cursor): boolean {
  const places = placesOf(cursor);
  return [...placesOf(other)].every(([shard, place]) => comparePlaces(places.get(shard) ?? [], place) >= 0);
}

function placesOf(cursor: Cursor): Map<string, bigint[]> {
  if (cursor === "") return new Map();
  return new Map(
    cursor.split(",").map(part => {
      const [place = "", shard = "0"] = part.split("=").toReversed();
      return [shard, place.split(":").map(BigInt)];
    }),
  );
}

function comparePlaces(a: readonly bigint[], b: readonly bigint[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [x, y] = [a[i] ?? -1n, b[i] ?? -1n];
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}
