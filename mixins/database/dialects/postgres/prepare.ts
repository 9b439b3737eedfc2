// The service's role and schema: made by the first start, found by every later one.
import pg from "pg";
import { readPostgresUrl } from "../../postgres-url.ts";
import type { PostgresLocation } from "../../location.ts";
import { Misconfigured, withoutSecrets } from "../../../kernel/index.ts";
import { sessionSettings } from "./connection.ts";

/** Serialises starts that find nothing there: `create … if not exists` alone still collides in the catalogue. */
const PREPARING = 0x76616c65;
const ATTEMPTS = 5;
/** Bytes of an identifier; the names of services have no others than ASCII's. */
const NAME_MAX = 63;

/**
 * Makes the missing parts: a role without login, named like the schema, and the schema, which the role owns. So no
 * service can read another's tables. A role that logs in itself (the user of the URL is named like the schema) is made
 * by the server's operator; it needs only its schema, or `create` on the database.
 *
 * Throws when it lacks the rights, with the statements that a user with these rights has to run.
 */
export async function prepareDatabase(url: string, { schema }: Pick<PostgresLocation, "schema">): Promise<void> {
  // Postgres would cut it silently, and it could be the schema of another service whose name begins alike.
  if (schema.length > NAME_MAX)
    throw new Error(
      `the service's name ${schema} is too long: Postgres keeps ${NAME_MAX} characters of a schema's name`,
    );
  for (let attempts = 1; ; attempts++)
    try {
      return await prepare(url, schema);
    } catch (error) {
      if (!isMadeByOthers(error) || attempts === ATTEMPTS) throw error;
    }
}

/** Roles belong to the server, the lock to one database: a start on another database may have been quicker. */
const isMadeByOthers = (error: unknown): boolean => {
  const { code } = error as { code?: unknown };
  return code === DUPLICATE_OBJECT || code === UNIQUE_VIOLATION || code === INTERNAL_ERROR;
};
const DUPLICATE_OBJECT = "42710";
const UNIQUE_VIOLATION = "23505";
/** "tuple concurrently updated": two grants at once. */
const INTERNAL_ERROR = "XX000";

async function prepare(url: string, schema: string): Promise<void> {
  const { connectionString, isPooled, user, place, database } = readPostgresUrl(url);
  const isOwnUser = user === schema;
  if (isPooled && !isOwnUser) {
    const variable = `${schema.toUpperCase()}_DATABASE_URL`;
    const why = "no role can be set through PgBouncer, so all services would share one schema";
    throw new Misconfigured(
      `${schema} on ${place}: with pgbouncer=true the user has to be ${schema}, not ${user}: ${why}. Set ${variable}`,
    );
  }
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 3_000 });
  client.on("error", () => {}); // a lost connection rejects the queries that wait for it
  await client.connect().catch((error: Error) => {
    // Where a name has several addresses, only the code says what is wrong.
    const why = error.message || (error as NodeJS.ErrnoException).code || "no answer";
    throw new Misconfigured(`the database of ${schema} cannot be reached, ${place} as ${user}: ${withoutSecrets(why)}`);
  });
  const missing: string[] = [];
  const isThere = async (sql: string): Promise<boolean> => (await client.query(sql, [schema])).rows.length > 0;
  try {
    await client.query("begin");
    await client.query("select pg_advisory_xact_lock($1)", [PREPARING]);
    if (await isThere(STRAYED))
      throw new Misconfigured(
        `${schema} on ${place}: its tables lie in the schema public, where a start with other settings put them; ` +
          `move or drop them (alter table public.… set schema ${schema}), then start again`,
      );
    if (!isOwnUser) {
      // A user has to be a member of a role to act as it, also the user that made it.
      const grant = `grant "${schema}" to "${user}"`;
      if (!(await isThere("select from pg_roles where rolname = $1")))
        missing.push(`create role "${schema}" nologin`, grant);
      else if (!(await isThere("select from pg_roles where rolname = $1 and pg_has_role(current_user, oid, 'member')")))
        missing.push(grant);
    }
    if (!(await isThere("select from pg_namespace where nspname = $1")))
      missing.push(`create schema "${schema}" authorization "${schema}"`);
    if (isOwnUser && isPooled)
      for (const [name, value] of Object.entries(sessionSettings(schema)))
        missing.push(`alter role "${schema}" in database "${database}" set ${name} = ${value}`);
    for (const sql of missing) await client.query(sql);
    await client.query("commit");
  } catch (error) {
    if (missing.length === 0 || isMadeByOthers(error)) throw error;
    throw new Misconfigured(
      `${schema} on ${place}: ${(error as Error).message}. A user with the rights has to run once: ${missing.join("; ")};`,
    );
  } finally {
    await client.end();
  }
}

/** The schema has no table yet, and `public` has those that a service of this name makes first. */
const STRAYED = `select from pg_tables where schemaname = 'public' and $1 <> 'public'
  and tablename in ('store_schema', 'migrations_' || $1)
  and not exists (select from pg_tables where schemaname = $1)`;
