import { basename } from "node:path";
import { DatabaseSync } from "node:sqlite";
import knex, { type Knex } from "knex";
import { makePrivate } from "../../../kernel/index.ts";
import type { Database, OpenOptions } from "../../database.ts";
import { databaseErrors } from "../../errors.ts";
import { observePool } from "../../pool.ts";
import { traceStatements } from "../../statements.ts";
import { isBusy, LockQueue } from "./lock-queue.ts";
import { NodeSqliteClient, type SqliteSettings } from "./node-sqlite-client.ts";
import { ARM, checkpoint, SEEN, whyNotWhole } from "./torn.ts";
import { upsertSqlite } from "./upsert.ts";

const limits = {
  /**
   * Connections. SQLite has one writer, whatever the pool; the others let reads go on beside a transaction that
   * waits for something else (WAL). More would only be more page caches.
   */
  connectionsMax: 4,
  /** Milliseconds to wait for one of them; then `DATABASE_BUSY`. As long as a statement waits for the write lock. */
  acquireMsMax: 5_000,
  /** Pages of WAL (4 kB) until a commit moves them into the file. SQLite's 1 000 cost a busy read model a sync each 0.1 s. */
  checkpointPages: 4_000,
};

/**
 * Opens a SQLite file; makes it, and its folder, when missing. Throws Bug `FILE_TORN` for a copy without its log or a restore that was
 * cut off,
 * `FILE_UNREADABLE` for a file that is no database.
 */
export async function openSqlite(filename: string, options: OpenOptions): Promise<Database> {
  const reason = whyNotWhole(filename);
  if (reason !== undefined) throw databaseErrors.FILE_TORN({ message: reason });
  // Keys and passwords lie in it.
  makePrivate(filename);
  const lock = new LockQueue();
  const guard = await Guard.of(filename, lock);
  const settings: SqliteSettings = {
    filename,
    durability: options.rebuildable ? "normal" : "full",
    checkpointPages: limits.checkpointPages,
    lock,
    open: new Set(),
  };
  const config: Knex.Config & { sqlite: SqliteSettings } = {
    client: NodeSqliteClient as unknown as typeof Knex.Client,
    connection: { filename },
    sqlite: settings,
    useNullAsDefault: true,
    // Messages carry the SQL, but not the values: those are people's data.
    compileSqlOnError: false,
    // Knex also throws the errors that it logs, and the code that catches them reports more.
    log: { warn: quiet, error: quiet, debug: quiet, deprecate: quiet },
    pool: { min: 1, max: limits.connectionsMax, idleTimeoutMillis: 30_000 },
    acquireConnectionTimeout: limits.acquireMsMax,
  };
  const pool = knex(config);
  observePool(pool, options.onAcquire);
  traceStatements(pool, "sqlite", basename(filename));

  return {
    knex: pool,
    reads: () => pool,
    transaction: work =>
      pool.transaction(async trx => {
        // Knex runs the callback even when the begin failed (knex 3.3, execution/transaction.js, `_onAcquire`).
        if (trx.isCompleted()) throw new Error("the transaction did not begin");
        return work(trx);
      }),
    upsert: upsertSqlite,
    // SQLite has no clock but the machine's.
    now: async () => Date.now(),
    requireDurability() {
      settings.durability = "full";
      for (const connection of settings.open) connection.setDurability("full");
    },
    leaveCheckpoints() {
      settings.checkpointPages = 0;
      for (const connection of settings.open) connection.setCheckpoint(0);
    },
    async close() {
      await pool.destroy();
      await guard.close();
    },
  };
}

/** A connection that arms the file (torn.ts), and stays: if it were the only one its end would move the log into the file. */
class Guard {
  readonly #database: DatabaseSync;
  readonly #lock: LockQueue;

  private constructor(database: DatabaseSync, lock: LockQueue) {
    this.#database = database;
    this.#lock = lock;
  }

  static async of(filename: string, lock: LockQueue): Promise<Guard> {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(filename, { timeout: 0 });
      const guard = new Guard(database, lock);
      await lock.run(() => database!.exec("pragma journal_mode=wal"), { inTurn: false });
      await guard.#arm();
      return guard;
    } catch (error) {
      database?.close();
      throw isBusy(error)
        ? error
        : databaseErrors.FILE_UNREADABLE({ filename, reason: (error as Error).message, cause: error });
    }
  }

  /** After the first time it does nothing. */
  async close(): Promise<void> {
    if (!this.#database.isOpen) return;
    await this.#write(SEEN).catch(() => {});
    this.#database.close();
  }

  async #arm(): Promise<void> {
    try {
      await this.#write(ARM);
      checkpoint(this.#database);
      await this.#write(SEEN);
    } catch {
      // A full disk, or a lock that is held for long.
    }
  }

  async #write(sql: string): Promise<void> {
    await this.#lock.run(() => this.#database.exec("begin immediate"), { inTurn: true });
    try {
      this.#database.exec(sql);
      this.#database.exec("commit");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("rollback");
      throw error;
    } finally {
      this.#lock.released();
    }
  }
}

const quiet = (): void => {};
