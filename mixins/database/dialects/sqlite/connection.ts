import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { isBusy, type LockQueue } from "./lock-queue.ts";

/** Prepared statements kept a connection. Knex writes one SQL text per shape of a query; an `in (?, ?, …)` has many. */
const STATEMENTS_MAX = 256;

/** Statements that may change the schema: prepared statements that are kept would answer with the columns of before. */
const CHANGES_SCHEMA = /^\s*(create|alter|drop|pragma|vacuum|attach|detach)\b/i;

export type Durability = "full" | "normal";

export interface ConnectionSettings {
  readonly filename: string;
  readonly durability: Durability;
  readonly checkpointPages: number;
  readonly lock: LockQueue;
}

export interface Answer {
  readonly rows?: Record<string, unknown>[];
  readonly lastID?: number | bigint;
  readonly changes?: number | bigint;
}

/** A connection to one SQLite file: WAL, foreign keys on, never waiting inside SQLite. */
export class Connection extends DatabaseSync {
  private readonly statements = new Map<string, StatementSync>();
  readonly lock: LockQueue;

  private constructor(filename: string, lock: LockQueue) {
    super(filename, { timeout: 0, enableForeignKeyConstraints: true });
    this.lock = lock;
  }

  static async open({ filename, durability, checkpointPages, lock }: ConnectionSettings): Promise<Connection> {
    let connection: Connection | undefined;
    try {
      connection = new Connection(filename, lock);
      // The switch to WAL takes the file's lock: two processes that start at once meet here.
      await lock.run(() => connection!.exec("pragma journal_mode=wal"), { inTurn: false });
      connection.setDurability(durability);
      connection.setCheckpoint(checkpointPages);
      return connection;
    } catch (error) {
      connection?.close();
      // SQLite says "file is not a database", one of a dozen.
      throw isBusy(error) ? error : new Error(`${filename}: ${(error as Error).message}`, { cause: error });
    }
  }

  setDurability(durability: Durability): void {
    this.exec(`pragma synchronous=${durability}`);
  }

  /** Pages of WAL after which a commit moves them into the file; 0: never. */
  setCheckpoint(pages: number): void {
    this.exec(`pragma wal_autocheckpoint=${pages}`);
  }

  /** One statement as knex sends it; waits for the write lock where it must. */
  async execute(sql: string, bindings: SQLInputValue[]): Promise<Answer> {
    switch (sql) {
      case "BEGIN;":
        // Immediate: a deferred transaction that comes to write after others have written can never be retried
        // (SQLITE_BUSY_SNAPSHOT), only thrown away.
        return this.lock.run(() => this.step("begin immediate", bindings), { inTurn: true });
      case "COMMIT;":
        return this.commit();
      case "ROLLBACK":
        // A full disk or an I/O error has rolled back already; a second rollback would hide the reason.
        return this.end(() => (this.isTransaction ? this.step("rollback", bindings) : {}));
      default:
        return this.isTransaction
          ? this.step(sql, bindings)
          : this.lock.run(() => this.step(sql, bindings), { inTurn: false });
    }
  }

  private commit(): Promise<Answer> {
    return this.end(() => {
      try {
        return this.step("commit", []);
      } catch (error) {
        // A refused commit (deferred foreign key) leaves the transaction open, and knex would hand the connection on.
        if (this.isTransaction) this.exec("rollback");
        throw error;
      }
    });
  }

  private async end(last: () => Answer): Promise<Answer> {
    try {
      return last();
    } finally {
      this.lock.released();
    }
  }

  private step(sql: string, bindings: SQLInputValue[]): Answer {
    const statement = this.prepared(sql);
    try {
      // Rows of node:sqlite have no prototype, which breaks `hasOwnProperty`, deep equality and class transformers.
      if (statement.columns().length > 0) return { rows: statement.all(...bindings).map(row => ({ ...row })) };
      const { lastInsertRowid, changes } = statement.run(...bindings);
      return { lastID: lastInsertRowid, changes };
    } catch (error) {
      if (!isBusy(error)) this.statements.delete(sql);
      throw error;
    } finally {
      if (CHANGES_SCHEMA.test(sql)) this.statements.clear();
    }
  }

  private prepared(sql: string): StatementSync {
    const kept = this.statements.get(sql);
    if (kept) return kept;
    const statement = this.prepare(sql);
    const oldest = this.statements.keys().next();
    if (this.statements.size >= STATEMENTS_MAX && !oldest.done) this.statements.delete(oldest.value);
    this.statements.set(sql, statement);
    return statement;
  }
}
