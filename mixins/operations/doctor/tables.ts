// The port to one database of one service: what a check asks it, whichever kind it is. Nothing can be written by it.

export interface Tables {
  /** For people, without the password. */
  readonly place: string;
  /** Number of the shard; 0 where there is only one. */
  readonly shard: number;
  readonly names: ReadonlySet<string>;
  /** Streams that are this database's, as `s`: those of a bucket that has moved, or is being copied, are another's. */
  readonly ownStreams: string;
  /** Rows of one statement; `$1` stands for the first value. Whole numbers come as numbers. */
  rows<R = any>(sql: string, values?: readonly (string | number)[]): Promise<R[]>;
  /** The log after a place in it; "" is its start. */
  after(place: string): Promise<Unread>;
  /** Milliseconds since the epoch, on the database's clock. */
  now(): Promise<number>;
}

export interface Unread {
  /** At most one more than are counted. */
  readonly events: number;
  /** How long the first of them has been there. */
  readonly oldestMs: number;
  /** The place lies past everything that this log has ever had. */
  readonly isAhead: boolean;
}

/** A service and what it has; a service that keeps nothing has none. */
export interface Service {
  readonly name: string;
  readonly databases: readonly Tables[];
}

/** A stream lies in one of them; the log is both. A store of an older release has no cold part yet. */
export const eventTables = ({ names }: Pick<Tables, "names">): string[] =>
  ["events", "archived_events"].filter(table => names.has(table));
