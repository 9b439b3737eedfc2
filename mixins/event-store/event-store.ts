// The event store of one service: streams on SQL, on the service's own database. Guards P1 (acknowledged is durable),
// P2 (one order per actor: unique (stream, version) is the fence) and P3 (once per command id).
//
// Life of an append:
//   1. queued in its lane; a twin (same command id and stream) that waits there already is joined.
//   2. all appends that wait when the previous commit returns go out as one batch, in one transaction.
//   3. each append gets its own verdict. Within a batch a stream's appends form a chain: the first conflict or
//      duplicate turns the rest of that chain into conflicts (duplicates, where they are repetitions themselves),
//      never a neighbour's.
//   4. `settle` is called, in the order of submission within a stream, after the commit has returned. On a conflict or
//      duplicate, queued appends of the same stream are withdrawn and settled as conflicts, never sent. An append that
//      cannot be sent at all (the store is closed, the bucket has moved) waits for those that the stream has in flight.
// A crash before the commit returns leaves all of a batch or nothing; the caller repeats under the same command id.
import type { Span } from "../tracing/index.ts";

/** A new event. `data` is JSON text: it is serialised once, on the way in. */
export interface NewEvent {
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: string;
}

export interface Append {
  /** Name of the stream: `loan.<id>`. */
  readonly stream: string;
  /** The version that the decision saw; 0 for a stream that does not exist. */
  readonly expectedVersion: number;
  /** The command that decided; `undefined` only checks that the stream is still at `expectedVersion` (no event, no answer). */
  readonly commandId: string | undefined;
  /** Name of the command. */
  readonly kind: string;
  /** Fingerprint of kind and params; empty for an id that the runtime made up. */
  readonly fingerprint: string;
  /** Possibly none: then the answer alone is recorded, if the stream is at `expectedVersion`. */
  readonly events: readonly NewEvent[];
  /** JSON text, stored with each event: user, trace, request. */
  readonly metadata: string;
  /**
   * JSON text of the recorded answer, given word for word to each repetition of the command id. `null`: `{ id, version
   * }` follows from the row.
   */
  readonly answer: string | null;
  readonly timers?: readonly TimerChange[];
  /** Row of the list of open sagas, written in the append's transaction. */
  readonly saga?: SagaRow;
  /** The span for which it is committed, where it is traced. Not stored; `metadata` has what is. */
  cause?: Span | undefined;
}

/** A change to the stream's durable timers. `id` is unique in the store; setting an id again moves it. */
export type TimerChange =
  | {
      readonly set: string;
      /** Milliseconds from now on the database's clock. */
      readonly afterMs: number;
      /** The command to send to the stream's actor, with its params as JSON text. */
      readonly command: string;
      readonly params: string;
      /** The span of the command that sets it, as a `traceparent`. */
      readonly cause?: string | undefined;
    }
  | { readonly cancel: string };

export interface SagaRow {
  readonly id: string;
  readonly state: "running" | "compensating" | "stuck" | "completed" | "compensated";
  /** The reason for which it is stuck or waits, for people. */
  readonly reason: string | null;
}
export interface OpenSaga extends SagaRow {
  readonly startedAt: string;
  readonly updatedAt: string;
}

export type Verdict =
  /** Committed. `version` is the stream's version after it, `at` the commit's recorded-at (RFC 3339, database clock). */
  | { readonly kind: "ok"; readonly version: number; readonly at: string }
  /** The stream is not at `expectedVersion`, or an append before it in the chain failed: load the stream anew and decide again. */
  | { readonly kind: "conflict" }
  /** The command id was executed before on this stream; nothing was written. */
  | { readonly kind: "duplicate"; readonly first: RecordedCommand }
  /**
   * This store does not own the stream's bucket. Unless it is `unsent`, the append may be stored all the same: its reply
   * was lost, and the bucket moved before it was asked for again.
   */
  | { readonly kind: "fenced"; readonly unsent?: true }
  /**
   * The batch could not be committed. `error` is Unavailable; its outcome is none if the append had no effect (disk
   * full, store closed, withdrawn), unknown if re-submitting the batch could not find out.
   */
  | { readonly kind: "failed"; readonly error: Error };

/** The row of an executed command in `commands`. */
export interface RecordedCommand {
  readonly commandId: string;
  readonly kind: string;
  readonly fingerprint: string;
  /** The stream's version after it. */
  readonly version: number;
  readonly answer: string | null;
}

/** An event as stored. `data` and `metadata` are JSON text. */
export interface StoredEvent {
  readonly position: number;
  readonly stream: string;
  readonly version: number;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: string;
  readonly metadata: string;
  /** RFC 3339, the database's clock. */
  readonly at: string;
}

export interface StoredSnapshot {
  readonly version: number;
  /** Declared number of the state's shape: a snapshot of another number is ignored. */
  readonly schema: number;
  readonly state: string;
}

/** The state from which an activation starts: the newest usable snapshot and the events after it, in order. */
export interface LoadedStream {
  /** Head version, 0 for a stream that does not exist. */
  readonly version: number;
  readonly snapshot: StoredSnapshot | undefined;
  readonly events: readonly StoredEvent[];
  /** Why the stream is in quarantine, if it is. */
  readonly quarantine: string | undefined;
  /** Whether its events lie in the cold part: it takes no new command. */
  readonly archived: boolean;
}

/**
 * A place in the store's whole log; opaque to readers, JSON-serialisable, ordered by the store that made it.
 * SQLite: `"<position>"`. Postgres: `"<xid>:<position>"`. The start is `""`.
 */
export type Cursor = string;

export interface StoredPage {
  readonly events: readonly StoredEvent[];
  readonly cursor: Cursor;
  readonly mark?: string | undefined;
  /**
   * The place after one of the events, by its index. On several databases it is one in the event's own alone, `<shard>=<place>`:
   * among them there is no order. A mark costs a digest of the event.
   */
  cursorAt(index: number): Cursor;
  markAt(index: number): string;
}

export interface DueTimer {
  readonly id: string;
  readonly stream: string;
  readonly command: string;
  readonly params: string;
  /** RFC 3339: the time that it was set to. It stays when the timer is postponed, and with it the id of its command. */
  readonly dueAt: string;
  readonly attempts: number;
  /** The span of the command that set it, as a `traceparent`. */
  readonly cause?: string | undefined;
}

/** A part of all streams, for nodes that share them: those whose bucket leaves one of `partitions` when divided by `count`. */
export interface StreamPart {
  readonly count: number;
  readonly partitions: readonly number[];
}

/** A timer as it is listed for people. */
export interface ListedTimer extends DueTimer {
  /** RFC 3339: when it is tried next; `dueAt`, unless it was postponed. */
  readonly nextAt: string;
}

/** One database of the store. Streams and events are about as many, in the cold part too: counting would take long. */
export interface StoreSize {
  /** Number of the shard; 0 where there is only one. */
  readonly shard: number;
  /** File, or host, port and database. Without a password. */
  readonly place: string;
  /** Buckets that it owns, of 1,024; absent on SQLite. */
  readonly buckets?: number;
  readonly streams: number;
  readonly events: number;
  /** Size of all tables and indexes of the service, and of a log that SQLite has not taken in yet. */
  readonly bytes: number;
}

/** Result of a search of the newest events. */
export interface Searched {
  /** Newest first. */
  readonly events: readonly StoredEvent[];
  /** Events that were looked at, and when the oldest of them was recorded. */
  readonly searched: number;
  readonly since: string | undefined;
}

/** A stream whose record could not be read. */
export interface QuarantinedStream {
  readonly stream: string;
  readonly reason: string;
  /** Since when, RFC 3339. */
  readonly at: string;
}

/** Called after a commit, before those who asked for it know: the number of events, and the streams that got them. */
export type CommitListener = (events: number, streams: ReadonlySet<string>) => void;

export interface EventStore {
  /**
   * Queues an append; `settle` is called once, synchronously with the other verdicts of its batch, after the commit, and
   * after the verdicts of the stream's earlier appends. Never throws and never calls `settle` before it returns.
   */
  append(append: Append, settle: (verdict: Verdict) => void): void;

  /** Loads a stream: newest snapshot of schema `snapshotSchema` and the tail after it. */
  load(stream: string, snapshotSchema: number): Promise<LoadedStream>;
  /** Events of a stream from version `from` (inclusive), at most `limit`, in order. */
  readStream(stream: string, from: number, limit: number): Promise<readonly StoredEvent[]>;
  /** The executed command with this id on this stream, if any. A miss proves nothing while an append may be in flight. */
  findCommand(stream: string, commandId: string): Promise<RecordedCommand | undefined>;

  /**
   * Events of all streams after `cursor`, in an order in which no event can appear later before one that was read. `mark`
   * tells the place after them from the same number in another log (marks.ts); undefined when there are none.
   */
  readAll(cursor: Cursor, limit: number): Promise<StoredPage>;
  /** The identities of the logs of the store's databases: chosen at random when each was made. */
  identities(): Promise<readonly string[]>;
  /** Cursor of the newest event, and how many events lie after `cursor`: lag. */
  head(cursor: Cursor): Promise<{ cursor: Cursor; behind: number }>;
  /** Calls back after each commit that wrote events: a hint for readers. Returns its undo. */
  onCommit(listener: CommitListener): () => void;

  /** Stores a snapshot if it is newer than the stored one. Off the command's path. */
  saveSnapshot(stream: string, snapshot: StoredSnapshot): Promise<void>;
  /** Names of the streams that have events, in order of first append, after `after`. */
  streams(
    after: string | undefined,
    limit: number,
  ): Promise<readonly { stream: string; version: number; archived: boolean }[]>;
  /**
   * The same streams in the order of their names, byte by byte, after `after`, which need not exist. A later page costs
   * what the first costs.
   */
  streamsByName(
    after: string | undefined,
    limit: number,
  ): Promise<readonly { stream: string; version: number; archived: boolean }[]>;
  /** How many streams have events: a scan of their names. */
  streamCount(): Promise<number>;
  /**
   * Moves the events of a stream that is still at `version` to the cold part, and drops its snapshot. They are read as
   * before, from there. Its command ids stay where they are; appends are conflicts from then on, repetitions duplicates.
   */
  archive(stream: string, version: number): Promise<void>;

  /** Timers, of a part of the streams or of all, that are due by the database's clock, oldest first, and the milliseconds until the next one. */
  dueTimers(limit: number, part?: StreamPart): Promise<{ due: readonly DueTimer[]; nextInMs: number | undefined }>;
  /** Timers in the order of their next tries, after `after`, and the database's time. */
  timers(
    limit: number,
    after?: Pick<ListedTimer, "id" | "nextAt">,
  ): Promise<{ now: number; timers: readonly ListedTimer[] }>;
  /** Removes an answered timer, unless it was set again since (`dueAt` differs). */
  deleteTimer(timer: Pick<DueTimer, "id" | "stream" | "dueAt">): Promise<void>;
  /** Backs an unanswered timer off. */
  postponeTimer(timer: Pick<DueTimer, "id" | "stream" | "dueAt">, byMs: number): Promise<void>;

  /**
   * Sagas by state, in order of their start, oldest first unless `newestFirst`; open = neither completed nor compensated.
   * `olderThanMs`: only those whose row has not changed for so long. `after`: the id of the last one of the page before; `afterStart`: when it started
   * (milliseconds since the epoch), for a store that need not have it.
   */
  sagas(filter: {
    state?: SagaRow["state"] | "open";
    olderThanMs?: number;
    limit: number;
    after?: string;
    afterStart?: number;
    newestFirst?: boolean;
  }): Promise<readonly OpenSaga[]>;

  /**
   * Puts a stream into quarantine with the reason; its actor is refused until it is released. Appends to it are
   * conflicts, so that an activation that lives elsewhere loads the stream and finds the reason.
   */
  quarantine(stream: string, reason: string): Promise<void>;
  release(stream: string): Promise<void>;
  /** Streams in quarantine, the longest ones first. `after`: the last stream of the page before. */
  quarantined(limit: number, after?: Pick<QuarantinedStream, "stream" | "at">): Promise<readonly QuarantinedStream[]>;

  /** The newest events whose data or metadata hold a text: at most `limit` of the newest `newest` of each database. */
  search(text: string, newest: number, limit: number): Promise<Searched>;
  /** The databases of the store. */
  sizes(): Promise<readonly StoreSize[]>;

  /** Milliseconds since the epoch on the database's clock. */
  now(): Promise<number>;
  /** Finishes the queued appends, then closes. Later appends fail. */
  close(): Promise<void>;
}
