// Knex's dialect on pg, with our errors, and with SQLite's meaning of text and whole numbers.
import type { ClientConfig, QueryResult } from "pg";
// @ts-expect-error knex ships no types for its dialect classes
import KnexPostgresClient from "knex/lib/dialects/postgres/index.js";
// @ts-expect-error as above
import KnexColumnCompiler from "knex/lib/dialects/postgres/schema/pg-columncompiler.js";
import { acquire, isPoolTimeout, type Pool } from "../../pool.ts";
import { isTooLate } from "../../waiting.ts";
import { answered, busy, endsConnection, lost, refused } from "./failures.ts";
import { PostgresConnection } from "./postgres-connection.ts";
import type { SessionConfig } from "./session.ts";

/** Settings of this dialect in knex's configuration, as `postgres`: not in `connection`, of which knex makes a copy. */
export interface PostgresSettings {
  readonly connection: ClientConfig & SessionConfig;
  /** Whether a commit is on disk before it returns. */
  isDurable: boolean;
  /** Milliseconds to wait for an answer; then the connection is given up. Later than the server's own time-outs. */
  readonly answerMsMax: number;
  /** Why no connection can be made at the moment. */
  refusal?: unknown;
}

interface Query {
  sql: string;
  method?: string;
  bindings?: unknown[];
  response?: unknown;
}

/** Lifts the server's time-out and ours until the transaction's end. */
export const UNTIMED = "set local statement_timeout = 0";

export class PostgresClient extends KnexPostgresClient {
  declare config: { postgres: PostgresSettings; acquireConnectionTimeout: number };
  declare pool: Pool<PostgresConnection> | undefined;

  columnCompiler(...tableAndColumn: unknown[]): object {
    return Reflect.construct(PortableColumns, [this, ...tableAndColumn]);
  }

  async acquireRawConnection(): Promise<PostgresConnection> {
    const { postgres } = this.config;
    const connection = new PostgresConnection(postgres.connection);
    try {
      await connection.connect();
      postgres.refusal = undefined;
      return connection;
    } catch (error) {
      postgres.refusal = error;
      throw error;
    }
  }

  async destroyRawConnection(connection: PostgresConnection): Promise<void> {
    await connection.end();
  }

  validateConnection(connection: PostgresConnection): boolean {
    return connection.lost === undefined;
  }

  async acquireConnection(): Promise<PostgresConnection> {
    if (!this.pool) return super.acquireConnection();
    const { postgres, acquireConnectionTimeout } = this.config;
    try {
      return await acquire(this.pool, acquireConnectionTimeout);
    } catch (error) {
      if (isTooLate(error)) throw error;
      const { refusal } = postgres;
      // The pool's time-out has only the message of a connection that could not be made meanwhile.
      if (!isPoolTimeout(error)) throw refused(error);
      throw refusal === undefined ? busy(error) : refused(refusal);
    }
  }

  // Here and not in _query: knex writes the SQL into the message of an error of _query, and clients see the message of
  // an Unavailable.
  async query(connection: PostgresConnection, query: Query | string): Promise<Query> {
    const reason = connection.lost;
    if (reason !== undefined) throw lost(reason, "none");
    try {
      return await super.query(connection, query);
    } catch (error) {
      if (endsConnection(error)) connection.lose(error);
      if (connection.lost === undefined) throw answered(error);
      throw lost(connection.lost, mayHaveTakenEffect(connection, query) ? "unknown" : "none");
    }
  }

  async _query(connection: PostgresConnection, query: Query): Promise<Query> {
    const { isDurable, answerMsMax } = this.config.postgres;
    let text = query.sql;
    if (text === "BEGIN;") {
      connection.isRelaxed = !isDurable;
      connection.isUntimed = false;
      // For this transaction only: behind PgBouncer a setting of the session would be the next one's.
      if (connection.isRelaxed) text = "begin; set local synchronous_commit = off";
    } else if (text === "COMMIT;") {
      if (connection.isRelaxed && isDurable) text = "set local synchronous_commit = on; commit";
    } else if (text === UNTIMED) connection.isUntimed = true;
    const values = query.bindings ?? [];
    const timed = !connection.isUntimed && { query_timeout: answerMsMax };
    const response = await connection.run({ text, values, ...timed }).catch((error: Error) => {
      if (error.message === "Query read timeout") connection.lose(error);
      throw error;
    });
    query.response = response;
    if (query.sql === "COMMIT;" && commandOf(response) !== "COMMIT")
      // A caller that catches a statement's error and goes on has a transaction that the server can only roll back.
      throw new Error("the transaction is rolled back: a statement in it had failed");
    return query;
  }
}
Object.assign(PostgresClient.prototype, { dialect: "postgresql", driverName: "pg" });

const commandOf = (response: QueryResult | QueryResult[]): string | undefined => [response].flat().at(-1)?.command;

/** In a transaction only the commit takes effect, beside one every statement that writes. */
function mayHaveTakenEffect({ __knexTxId }: PostgresConnection, query: Query | string): boolean {
  const { sql, method = "raw" } = typeof query === "string" ? { sql: query } : query;
  if (__knexTxId !== undefined) return sql === "COMMIT;";
  return !["select", "first", "pluck"].includes(method) && !/^\s*select\b/i.test(sql);
}

/**
 * A migration means the same on both databases. Whole numbers have 64 bits: else a number that a contract allows would be
 * an error of the database's, even if only compared with. Text has no limit but one that is given, and compares and sorts
 * by its bytes, whatever the server's locale. UUIDs are text: another form of the same one is another id.
 */
class PortableColumns extends KnexColumnCompiler {
  declare bigincrements: (options?: object) => string;
  varchar(length?: number): string {
    return length === undefined ? TEXT : `varchar(${length}) collate "C"`;
  }
  increments(options?: object): string {
    return this.bigincrements(options);
  }
  uuid(): string {
    return TEXT;
  }
}
const TEXT = 'text collate "C"';
Object.assign(PortableColumns.prototype, { text: TEXT, integer: "bigint" });
