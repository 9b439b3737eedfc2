// A carrier moves events from the service that owns them to a consumer. It wakes and feeds, and remembers nothing that
// matters: the event store is the log, and the consumer's own database holds its checkpoint. An event that a carrier
// loses, delivers twice or delivers late costs time and is never lost: the consumer judges each by (stream, version).
//
// Promises to the consumer, checked by carrier.conformance.ts:
//   1. a feed opened at a place delivers every event after it that it was opened for, of all types, at least once.
//   2. the events of one stream come in order of version, unless the carrier lost some (the consumer reads the gap).
//   3. a delivered cursor can be opened again later, also by another process.
//   4. a batch never holds more than was asked for.
//   5. `next` throws CursorNotInLog when the owner says that the cursor is not in its log; no event is delivered from there.
//
// The carriers themselves (local.ts, jetstream.ts) read whole logs. One reader of a log does for all consumers of a process
// that are at its end, and each takes its partitions of it: shared.ts.
import type { Place } from "../log/places.ts";
import type { Cursor, LogEvent } from "../log/source.ts";

export type { Place } from "../log/places.ts";

export interface Batch {
  readonly events: readonly LogEvent[];
  /** The cursor after these events. */
  readonly cursor: Cursor;
  /** Tells that cursor from the same number in another log. */
  readonly mark?: string | undefined;
  /** Whether the log had no more. A batch may be empty before the end: what lay there was of other partitions. */
  readonly isAtEnd: boolean;
}

export interface Feed {
  /**
   * The next events, at most `limit`; an empty batch after a while when there are none, so that the caller can renew its
   * lease.
   */
  next(limit: number): Promise<Batch>;
  /** Ends a `next` that waits. */
  close(): void;
}

export interface Carrier {
  /** Starts to deliver a source's log, all of it or the events that `takes` says yes to. */
  open(source: string, place: Place, takes?: (event: LogEvent) => boolean): Feed;
  /** There may be something new in a source's log. */
  wake(source: string): void;
}

/** Reads whole logs, with a reader of its own for each feed. */
export interface LogCarrier extends Pick<Carrier, "wake"> {
  open(source: string, place: Place): LogFeed;
}
export interface LogFeed extends Feed {
  next(limit: number): Promise<LogBatch>;
}
export interface LogBatch extends Batch {
  /** Bytes of the events, about. */
  readonly bytes: number;
}
