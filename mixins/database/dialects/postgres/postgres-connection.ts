import type { ClientConfig, QueryResult } from "pg";
import { Session, type SessionConfig } from "./session.ts";

/** One connection of knex's pool. */
export class PostgresConnection extends Session {
  /** Why it is no longer usable; undefined while it is. */
  lost: unknown;
  /** Its transaction does not wait for the disk. */
  isRelaxed = false;
  /** The statements of its transaction may take as long as they need. */
  isUntimed = false;
  /** Set by knex while it is in a transaction. */
  __knexTxId: string | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(config: ClientConfig & SessionConfig) {
    super(config);
    // Without a listener the loss of an idle connection would end the process.
    this.on("error", error => this.lose(error));
    this.on("end", () => this.lose(new Error("the connection has ended")));
  }

  /** The first reason is the true one. */
  lose(reason: unknown): void {
    this.lost ??= reason;
  }

  /** One statement after another: pg has deprecated its own queue for concurrent callers. */
  run(statement: { text: string; values?: unknown[]; query_timeout?: number }): Promise<QueryResult | QueryResult[]> {
    const result = this.#last.then(() => this.query(statement));
    this.#last = result.catch(() => {});
    return result;
  }
}
