// Knex for one service: its own database, its own migrations, run at start.
import type { Knex } from "knex";

export interface Database {
  /** The pool. Reads and single statements. */
  readonly knex: Knex;
  /**
   * One transaction. On SQLite it begins immediate, and a busy file is waited for without blocking the loop: 5 s, then
   * `DATABASE_BUSY` (outcome none). What the callback throws rolls back and comes out. Within the callback use `trx`
   * only: `transaction` inside `transaction` waits for itself.
   */
  transaction<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T>;
  /** Milliseconds since the epoch on the database's clock. */
  now(): Promise<number>;
  /** From now on a commit is on disk before it returns, also in a database that was opened as rebuildable. */
  requireDurability(): void;
  /**
   * Leaves checkpoints to whoever else has the file open (SQLite: the thread of the service's event store). On the loop a
   * checkpoint costs the sync of all that was written since the last one, the store's pages too.
   */
  leaveCheckpoints(): void;
  close(): Promise<void>;
}
