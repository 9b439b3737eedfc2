// Knex's dialect on Node's built-in node:sqlite: no native module, no install script, the same file format.
import type { SQLInputValue } from "node:sqlite";
// @ts-expect-error knex ships no types for its dialect classes
import BetterSqlite3Client from "knex/lib/dialects/better-sqlite3/index.js";
import type { Unavailable } from "../../../kernel/index.ts";
import { databaseErrors } from "../../errors.ts";
import { acquire, isPoolTimeout, type Pool } from "../../pool.ts";
import { isTooLate, tooLate } from "../../waiting.ts";
import { Connection, type Durability } from "./connection.ts";
import { isBusy, type LockQueue } from "./lock-queue.ts";

/** Settings of this dialect in knex's configuration, as `sqlite`: not in `connection`, of which knex makes a deep copy. */
export interface SqliteSettings {
  readonly filename: string;
  durability: Durability;
  checkpointPages: number;
  readonly lock: LockQueue;
  /** Every open connection, so that a setting changes on all of them. */
  readonly open: Set<Connection>;
}

interface Query {
  sql: string;
  bindings?: unknown[];
  response?: unknown;
  context?: unknown;
}

export class NodeSqliteClient extends BetterSqlite3Client {
  declare config: { sqlite: SqliteSettings; acquireConnectionTimeout: number };
  declare pool: Pool<Connection> | undefined;
  declare _formatBindings: (bindings?: unknown[]) => SQLInputValue[];

  _driver(): typeof Connection {
    return Connection;
  }

  async acquireRawConnection(): Promise<Connection> {
    const { sqlite } = this.config;
    const connection = await Connection.open(sqlite);
    sqlite.open.add(connection);
    return connection;
  }

  async destroyRawConnection(connection: Connection): Promise<void> {
    this.config.sqlite.open.delete(connection);
    connection.close();
  }

  async acquireConnection(): Promise<Connection> {
    if (!this.pool) return super.acquireConnection();
    try {
      return await acquire(this.pool, this.config.acquireConnectionTimeout);
    } catch (error) {
      throw isPoolTimeout(error) ? busy(error) : error;
    }
  }

  // Here and not in _query: knex writes the SQL into the message of an error of _query, and clients see the message of
  // an Unavailable.
  async query(connection: Connection, query: Query | string): Promise<Query> {
    try {
      return await super.query(connection, query);
    } catch (error) {
      if (isTooLate(error)) throw tooLate();
      throw isBusy(error) ? busy(error) : error;
    }
  }

  async _query(connection: Connection, query: Query): Promise<Query> {
    const { rows, lastID, changes } = await connection.execute(query.sql, this._formatBindings(query.bindings));
    query.response = rows ?? { lastID, changes };
    query.context = { lastID, changes };
    return query;
  }
}
Object.assign(NodeSqliteClient.prototype, { dialect: "sqlite3", driverName: "node:sqlite" });

const busy = (cause: unknown): Unavailable => databaseErrors.DATABASE_BUSY({ cause });
