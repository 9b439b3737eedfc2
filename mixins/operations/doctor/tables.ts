// The port to one database of one service: what a check asks of either kind of database. It cannot write.

export interface Tables {
  /** The location as text for people, without the password. */
  readonly place: string;
  /** Number of the shard; 0 where there is only one. */
  readonly shard: number;
  readonly names: ReadonlySet<string>;
  /**
   * Streams that this database owns, as `s`: streams in a bucket that has moved, or is being copied, belong to another.
   */
  readonly ownStreams: string;
  /** Rows of one statement; `$1` is the first value. Whole numbers come as numbers. */
  rows<R = any>(sql: string, values?: readonly (string | number)[]): Promise<R[]>;
  /** The log after a position; "" is its start. */
  after(place: string): Promise<Unread>;
  /** Milliseconds since the epoch, on the database's clock. */
  now(): Promise<number>;
}

export interface Unread {
  /** Never more than one above the number that is counted to. */
  readonly events: number;
  /** Milliseconds since the first of them was written. */
  readonly oldestMs: number;
  /** The position is after everything that this log has ever had. */
  readonly isAhead: boolean;
}

/** A service and its databases; a service without data has none. */
export interface Service {
  readonly name: string;
  readonly databases: readonly Tables[];
}

/** Tables of events: a stream is in one of them, the log is both. A store of an earlier release has no cold part. */
export const eventTables = ({ names }: Pick<Tables, "names">): string[] =>
  ["events", "archived_events"].filter(table => names.has(table));
