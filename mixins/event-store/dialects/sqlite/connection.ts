// The one connection that the writer thread holds, and how it shares its file with other processes.
import { statSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Bug, makePrivate } from "../../../kernel/index.ts";
import { ARM, checkpoint, SEEN } from "../../../database/index.ts";
import { storeErrors } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { migrate } from "./schema.ts";

/** Bytes of WAL past which it is truncated even under load: passive checkpoints alone let it grow to 880 MB. */
const WAL_BYTES_MAX = 256 * 1024 * 1024;
/** Commits between two looks at the WAL's size. */
const COMMITS_A_LOOK = 64;
/** Milliseconds after which a lock that we had to wait for counts as contended still. */
const CONTENDED_MS = 50;
/** Milliseconds in which others may take the lock after our commit; they retry every 0.1 to 0.5 ms. */
const COURTESY_MS = 0.3;

export class Connection {
  readonly database: DatabaseSync;
  readonly #filename: string;
  readonly #walBytesMax: number;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  #contendedAt = -Infinity;
  #commits = 0;

  /** Creates folder, file and tables as needed. Throws Bug `STORE_UNREADABLE` or `STORE_SCHEMA_NEWER`. */
  constructor(filename: string, walBytesMax: number = WAL_BYTES_MAX) {
    this.#filename = filename;
    this.#walBytesMax = walBytesMax;
    makePrivate(filename);
    this.database = new DatabaseSync(filename, { timeout: 0, enableForeignKeyConstraints: false });
    try {
      // Two processes that open a new file at once: one of them finds it locked while the other turns to WAL.
      this.#retried(() => this.database.exec("pragma page_size = 4096; pragma journal_mode = wal"));
      // 16 MB of cache: 64 MB were no faster with a million events in the file, and every service has a connection.
      this.database.exec("pragma synchronous = full; pragma wal_autocheckpoint = 16000; pragma cache_size = -16384");
      this.#begin = this.database.prepare("begin immediate");
      this.#commit = this.database.prepare("commit");
      this.transaction(() => migrate(this.database, filename));
      this.#arm();
    } catch (error) {
      this.database.close();
      if (error instanceof Bug) throw error;
      throw storeErrors.STORE_UNREADABLE({
        message: `${filename}: cannot be opened as an event store: ${String(error)}`,
        cause: error,
      });
    }
  }

  prepare(sql: string): StatementSync {
    const statement = this.database.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  }

  /** Bytes of the file and of the log that is not in it yet. */
  bytes(): number {
    const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    return sizeOf(this.#filename) + sizeOf(`${this.#filename}-wal`);
  }

  /** One write transaction. An error of `work` rolls back and is thrown. */
  transaction<T>(work: () => T): T {
    this.#retried(() => this.#begin.run());
    try {
      const result = work();
      this.#durable();
      return result;
    } catch (error) {
      if (this.database.isTransaction) this.database.exec("rollback");
      throw error;
    }
  }

  /**
   * A commit that fails is rolled back here and now. But when it is the sync that failed, its frames may lie in the WAL,
   * and a crash before they are overwritten would recover them: only for a full disk do we know that they do not.
   */
  #durable(): void {
    try {
      this.#commit.run();
    } catch (error) {
      const outcome = errorCode(error) === SQLITE_FULL ? "none" : "unknown";
      throw storeErrors.COMMIT_FAILED({ message: `${this.#filename}: ${String(error)}`, outcome, cause: error });
    }
  }

  /**
   * SQLite's own busy handler sleeps longer each time and starved a process for 4 s. Equal short random waits share the
   * lock fairly.
   */
  #retried(action: () => void): void {
    const until = performance.now() + limits.writeLockMs;
    for (;;) {
      try {
        return action();
      } catch (error) {
        if (!isBusy(error) || performance.now() > until) throw error;
        this.#contendedAt = performance.now();
        pause(0.1 + Math.random() * 0.4);
      }
    }
  }

  /** After a commit and its answer: leaves the lock to others that wait, and keeps the WAL short. */
  afterCommit(): void {
    if (performance.now() - this.#contendedAt < CONTENDED_MS) pause(COURTESY_MS);
    this.#commits += 1;
    if (this.#commits % COMMITS_A_LOOK === 0 && this.#walBytes() > this.#walBytesMax) this.truncateWal();
  }

  /**
   * Moves the WAL into the file and empties it, except for the entry by which a copy of the file alone is recognised
   * (database/…/torn.ts).
   */
  truncateWal(): void {
    if (this.#walBytes() > 0) this.#arm();
  }

  close(): void {
    try {
      this.transaction(() => this.database.exec(SEEN));
    } catch {
      // A full disk.
    }
    if (this.#walBytes() > 0) checkpoint(this.database);
    this.database.close();
  }

  #arm(): void {
    try {
      this.transaction(() => this.database.exec(ARM));
      checkpoint(this.database);
      this.transaction(() => this.database.exec(SEEN));
    } catch {
      // A full disk, or a lock that is held for long. A commit meets the cause, if it stays.
    }
  }

  #walBytes(): number {
    return statSync(`${this.#filename}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }
}

const cell = new Int32Array(new SharedArrayBuffer(4));
const pause = (ms: number): void => void Atomics.wait(cell, 0, 0, ms);

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;
/** SQLite's primary result code: the extended one without its upper bytes. */
const errorCode = (error: unknown): number => ((error as { errcode?: number }).errcode ?? 0) % 256;
const isBusy = (error: unknown): boolean => errorCode(error) === SQLITE_BUSY;
