// How every connection of a service to Postgres is made: knex's pool and the event store's alike.
import pg, { type ClientConfig } from "pg";
import type { SessionConfig } from "./session.ts";
import { readPostgresUrl } from "../../postgres-url.ts";
import type { PostgresLocation } from "../../location.ts";

const limits = {
  /** Milliseconds until a server answers that it takes the connection. */
  connectMs: 3_000,
  /** Milliseconds that one statement may run; the server ends it and undoes its effect. */
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
 * Settings that each session starts with: the service's role, so that it reads no other service's tables whichever user
 * logs in; its schema; and the time-outs. They travel in the start-up packet: a pooler in transaction mode would hand a
 * `SET` on to other clients. `Session` asks the server whether it took them.
 *
 * PgBouncer refuses such a packet. With `?pgbouncer=true` in the URL nothing is sent: the user of the URL is the service's
 * role itself, and has the same settings as its defaults (see `prepareDatabase`).
 */
export function connectionOf(
  url: string,
  { schema }: Pick<PostgresLocation, "schema">,
  { isStandby = false }: { readonly isStandby?: boolean } = {},
): ClientConfig & SessionConfig {
  const { connectionString, isPooled, user, settings, place, applicationName = "valence" } = readPostgresUrl(url);
  const ours = sessionSettings(schema);
  const role = user === schema ? {} : { role: schema };
  // The last of two settings of one name counts.
  const sent = [...settings, ...Object.entries({ ...role, ...ours }).map(([name, value]) => `${name}=${value}`)];
  return {
    connectionString,
    ...(!isPooled && {
      options: sent.map(setting => `-c ${setting}`).join(" "),
      application_name: `${applicationName} ${schema}`,
    }),
    connectionTimeoutMillis: limits.connectMs,
    keepAlive: true,
    types,
    session: { place, schema, isStandby, settings: isPooled ? {} : ours },
  };
}

export const sessionSettings = (schema: string): Readonly<Record<string, string>> => ({
  search_path: schema,
  statement_timeout: String(limits.statementMs),
  idle_in_transaction_session_timeout: String(limits.idleInTransactionMs),
});
