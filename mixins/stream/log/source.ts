// The port through which a consumer reads the log of the service that owns an event: an internal action,
// `<service>.readLog`, which every service with actors answers.
import type { Recorded } from "../../contract/index.ts";
import type { CursorFault } from "./identity.ts";

/** Opaque position in a service's log; `""` is the start. */
export type Cursor = string;

export type LogEvent = Recorded & {
  /** Why the owner's node could not decode it: an unknown type, an upcaster that is missing or throws. `data` is then raw. */
  readonly broken?: string;
  /** Beside `broken`: the event is not damaged, but of a newer release, whose nodes can read it. */
  readonly isNewer?: true;
};

export interface LogPage {
  /** Upcast to today's schema, in log order. */
  readonly events: readonly LogEvent[];
  readonly cursor: Cursor;
  /** Tells `cursor` from the same number in another log; opaque. Absent in pages of older releases. */
  readonly mark?: string | undefined;
  /** Whether the log had no more. Absent in pages of older releases: then a page that is not full says so. */
  readonly isAtEnd?: boolean;
  /** Bytes of the events, about. Absent in pages of older releases. */
  readonly bytes?: number;
  /** Instead of events: the cursor of the question is not in this log. */
  readonly fault?: CursorFault;
  /**
   * Names the log and the shape of its events: another one after a reset of the database, or with another version of an
   * event. Only where a carrier also brings events that were published before, and has to tell them from today's.
   */
  readonly origin?: string | undefined;
  /**
   * Secret with which the owner's relay seals its messages; see `sealed` in channel.ts. Only where nodes have keys: then
   * this page came sealed too, and a message without a seal is somebody else's.
   */
  readonly seal?: string | undefined;
  /** Events after the cursor; only in the answer to `limit: 0`. */
  readonly behind?: number;
  /** End of the log; only in the answer to `limit: 0`. */
  readonly head?: Cursor;
}

/**
 * Params of `<service>.readLog`: the events of all streams after `cursor`. All types, always: a consumer tells a gap
 * from a type that it does not subscribe to only by the versions of every event of a stream.
 */
export interface ReadLog {
  readonly cursor: Cursor;
  /** The mark that came with the cursor. The owner checks that both are of its log before it reads on from there. */
  readonly mark?: string | undefined;
  /** Events at most; 0 asks only for `behind` and `head`. */
  readonly limit: number;
  /** Instead: this actor's events from version `from` on. The answer repeats the cursor of the question. */
  readonly stream?: { readonly id: string; readonly from: number };
}

/** Broadcast on the broker after commits, as a hint that there is something to read. Lossy: consumers poll as well. */
export const COMMITTED = "stream.committed";
export interface Committed {
  readonly service: string;
  /** Names of the streams that were written to, `loan.<id>`. Absent when there are many, or an older node says so. */
  readonly streams?: readonly string[];
}

/** Broadcast every few seconds while a consumer has stopped because its cursor is not in the log. */
export const STOPPED = "stream.stopped";
export interface ConsumerStopped {
  readonly service: string;
  readonly consumer: string;
  readonly source: string;
}

/**
 * Whether a reader at `cursor` has read everything that one at `other` has, in one service's log. The parts of a position
 * between colons are whole numbers, the most significant first. The log of a service on several databases has a position
 * in each, `<shard>=<position>` with commas between: of two such cursors, neither may be at or past the other. A position
 * without a shard was written when shard 0 was the whole.
 */
export function isAtOrPast(cursor: Cursor, other: Cursor): boolean {
  const positions = positionsOf(cursor);
  return [...positionsOf(other)].every(
    ([shard, position]) => comparePositions(positions.get(shard) ?? [], position) >= 0,
  );
}

/** The cursor up to which all readers at these have read. Without any it is the start of the log. */
export function leastOf(cursors: readonly Cursor[]): Cursor {
  const [first = "", ...more] = cursors;
  if (more.every(cursor => isAtOrPast(cursor, first))) return first;
  const least = new Map<string, bigint[]>();
  for (const shard of positionsOf(first).keys()) {
    const all = cursors.map(cursor => positionsOf(cursor).get(shard) ?? []);
    const position = all.reduce((a, b) => (comparePositions(a, b) <= 0 ? a : b));
    if (position.length > 0) least.set(shard, position);
  }
  const isSharded = cursors.some(cursor => cursor.includes("="));
  return [...least].map(([shard, parts]) => `${isSharded ? `${shard}=` : ""}${parts.join(":")}`).join(",");
}

function positionsOf(cursor: Cursor): Map<string, bigint[]> {
  if (cursor === "") return new Map();
  return new Map(
    cursor.split(",").map(part => {
      const [position = "", shard = "0"] = part.split("=").toReversed();
      return [shard, position.split(":").map(BigInt)];
    }),
  );
}

function comparePositions(a: readonly bigint[], b: readonly bigint[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [x, y] = [a[i] ?? -1n, b[i] ?? -1n];
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}
