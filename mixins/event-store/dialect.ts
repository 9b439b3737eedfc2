// The port of a SQL dialect: it commits one batch in one transaction, and reads. Which appends wait, join or are
// withdrawn is decided above it, in group-commit.ts, once for all dialects.
import type { DatabaseSystem, PoolUse } from "../database/siblings.ts";
import type { Append, Cursor, EventStore, StoredEvent, StoredSnapshot, StoreSize, Verdict } from "./event-store.ts";

/** A verdict that a committed batch gives. `failed` is not one: a batch that could not be committed rejects instead. */
export type BatchVerdict = Exclude<Verdict, { kind: "failed" }>;

export interface CommittedBatch {
  /** For each append, in order. */
  readonly verdicts: readonly BatchVerdict[];
  /** The upkeep that was not written, because its stream's bucket is not owned here. */
  readonly fencedUpkeep: readonly Upkeep[];
}

/** Small writes beside the appends. They ride in the transaction of the next batch: none costs a sync of its own. */
export type Upkeep =
  | { readonly kind: "snapshot"; readonly stream: string; readonly snapshot: StoredSnapshot }
  | { readonly kind: "delete-timer"; readonly stream: string; readonly id: string; readonly dueAt: string }
  | {
      readonly kind: "postpone-timer";
      readonly stream: string;
      readonly id: string;
      readonly dueAt: string;
      readonly byMs: number;
    }
  | { readonly kind: "archive"; readonly stream: string; readonly version: number }
  | { readonly kind: "quarantine"; readonly stream: string; readonly reason: string }
  | { readonly kind: "release"; readonly stream: string };

type Reads = Pick<
  EventStore,
  | "load"
  | "readStream"
  | "findCommand"
  | "head"
  | "streams"
  | "streamsByName"
  | "streamCount"
  | "dueTimers"
  | "timers"
  | "search"
  | "sagas"
  | "quarantined"
  | "now"
>;

export interface HeldBucket {
  readonly bucket: number;
  /** False while it is sealed, on its way to another shard. */
  readonly isOwned: boolean;
}

export interface Dialect extends Reads {
  /** As `readAll` of a store, without marks. */
  readAll(
    cursor: Cursor,
    limit: number,
  ): Promise<{ events: readonly StoredEvent[]; cursor: Cursor; cursorAt(index: number): Cursor }>;
  /** For traces. */
  readonly system: DatabaseSystem;
  /** Batches that may be in flight at once. A stream always goes to the same lane. */
  readonly lanes: number;
  /**
   * Commits a batch in one transaction and gives a verdict for each append, in order. Within the batch a stream's
   * appends form a chain: the first that is not `ok` fails the rest of that chain as `conflict`, unless their own
   * command id is recorded already (`duplicate`), and never a neighbour's.
   *
   * Rejects with Unavailable: outcome none when nothing was written, unknown when re-submitting the batch could not
   * find out. A connection lost on the way is resolved in here, by re-submitting.
   */
  commit(appends: readonly Append[], upkeep: readonly Upkeep[]): Promise<CommittedBatch>;
  /** About how large it is; its buckets are known by `buckets`. */
  size(): Promise<Pick<StoreSize, "streams" | "events" | "bytes">>;
  /** The identity of the log: chosen at random when the database was made. */
  identity(): Promise<string>;
  /** Buckets that it has, where buckets can move. Reads of a stream in one that it does not own reject with `BUCKET_MOVED`. */
  buckets?(): Promise<readonly HeldBucket[]>;
  /** When a saga that it has in its list started, in milliseconds since the epoch: a page of several lists goes on there. */
  sagaStart?(id: string): Promise<number | undefined>;
  /** Connections of its reads, where there are several. */
  poolUse?(): PoolUse;
  close(): Promise<void>;
}
