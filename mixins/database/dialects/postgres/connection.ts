// How every connection of a service to Postgres is made: knex's pool and the event store's alike.
import pg, { type ClientConfig } from "pg";
import type { PostgresLocation } from "../../../kernel/index.ts";

const limits = {
  /** Milliseconds until a server answers that it takes the connection. */
  connectMs: 3_000,
  /** Milliseconds that one statement may run; the server ends it, and what it did is undone. */
  statementMs: 15_000,
  /**
   * Milliseconds that a transaction may wait for its next statement. While it waits, readers of the log wait for it too:
   * their horizon is the oldest transaction that has written, in any database of the server.
   */
  idleInTransactionMs: 10_000,
};

/** Counts, positions and sums (int8, numeric) arrive as numbers: none of ours passes 2^53. */
const NUMBERS: readonly number[] = [20, 1700];
type TypeId = Parameters<typeof pg.types.getTypeParser>[0];
const types: NonNullable<ClientConfig["types"]> = {
  getTypeParser: (oid: TypeId, format: "text" | "binary" = "text") =>
    NUMBERS.includes(oid) ? Number : pg.types.getTypeParser(oid, format),
};

/**
 * Settings that each session starts with: the service's role, so that it reads no other service's tables whoever logs
 * in; its schema; and the time-outs. They travel in the start-up packet: what a pooler in transaction mode would hand on
 * to others as `SET` never is one.
 *
 * PgBouncer refuses such a packet. With `?pgbouncer=true` in the URL nothing is sent: the user of the URL is the service's
 * role itself, and has the same settings as its defaults (see `prepareDatabase`).
 */
export function connectionOf(url: string, { schema }: Pick<PostgresLocation, "schema">): ClientConfig {
  const { connectionString, isPooled, user } = readUrl(url);
  const role = user === schema ? "" : `-c role=${schema} `;
  const settings = Object.entries(sessionSettings(schema)).map(([name, value]) => `-c ${name}=${value}`);
  return {
    connectionString,
    ...(!isPooled && { options: role + settings.join(" "), application_name: `valence ${schema}` }),
    connectionTimeoutMillis: limits.connectMs,
    keepAlive: true,
    types,
  };
}

export const sessionSettings = (schema: string): Readonly<Record<string, string>> => ({
  search_path: schema,
  statement_timeout: String(limits.statementMs),
  idle_in_transaction_session_timeout: String(limits.idleInTransactionMs),
});

/** The parts of a connection URL. `pgbouncer=true` is for us, the server does not know it. */
export function readUrl(url: string): { connectionString: string; isPooled: boolean; user: string } {
  const parsed = new URL(url);
  const isPooled = parsed.searchParams.get("pgbouncer") === "true";
  parsed.searchParams.delete("pgbouncer");
  return { connectionString: parsed.href, isPooled, user: decodeURIComponent(parsed.username) };
}
