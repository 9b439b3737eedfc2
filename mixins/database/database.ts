// Knex for one service: its own database, its own migrations, run at start.
import type { Knex } from "knex";
import type { ReplicaObserver } from "./dialects/postgres/replica.ts";
import type { PoolObserver } from "./pool.ts";
import type { Upsert } from "./upsert.ts";

export interface OpenOptions {
  readonly rebuildable: boolean;
  readonly onAcquire?: PoolObserver | undefined;
  readonly onReplica?: ReplicaObserver | undefined;
}

export interface TransactionOptions {
  /**
   * Transactions of one name take turns, in all processes. A transaction that reads and then writes by the result needs
   * this, unless the write itself checks what must still be true. On SQLite all transactions take turns.
   */
  readonly lock?: string;
  /** Its statements may take as long as they need: a migration rewrites tables. Default false. */
  readonly isUntimed?: boolean;
}

export interface Database {
  /** The pool. Reads and single statements. */
  readonly knex: Knex;
  /**
   * The pool for a read that may be up to 2 s old, but holds what was committed before `since` (monotonic milliseconds,
   * `performance.now()`): a standby's where there is one and it does, else the primary's.
   */
  reads(since?: number): Knex;
  /**
   * One transaction. An error of the callback rolls back and is thrown. Within the callback use `trx` only: callers that
   * hold a connection and wait for another can all do so at once, and deadlock.
   *
   * On SQLite it begins immediate, and a busy file is waited for without blocking the loop: 5 s, then `DATABASE_BUSY`
   * (outcome none). On Postgres it is read committed; a server that is away is `DATABASE_UNAVAILABLE`, with outcome
   * unknown if that happens at the commit.
   */
  transaction<T>(work: (trx: Knex.Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** Inserts rows, or updates those whose key is there already, in few statements. Not for one row: knex does that. */
  upsert(trx: Knex.Transaction, upsert: Upsert): Promise<void>;
  /** Milliseconds since the epoch on the database's clock. In a transaction: `now(trx)`. */
  now(within?: Knex): Promise<number>;
  /** From now on a commit is on disk before it returns, also in a database that was opened as rebuildable. */
  requireDurability(): void;
  /**
   * Leaves checkpoints to the other holder of the file (SQLite: the thread of the service's event store). On the loop a
   * checkpoint costs the sync of all that was written since the last one, the store's pages too.
   */
  leaveCheckpoints(): void;
  close(): Promise<void>;
}
