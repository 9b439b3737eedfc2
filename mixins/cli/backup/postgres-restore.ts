// Puts schemas of a backup into their databases. What was there stays beside the new schema, under another name.
import { join } from "node:path";
import pg from "pg";
import { readPostgresUrl, type PostgresLocation } from "../../database/index.ts";
import { prepareDatabase } from "../../database/siblings.ts";
import { Misconfigured } from "../../kernel/index.ts";
import type { Part } from "./manifest.ts";
import { runTool } from "./postgres-tools.ts";

/** A part, and the schema that it becomes. */
export interface SchemaTarget {
  readonly part: Part;
  readonly location: PostgresLocation;
  readonly url: string;
  /** Host, port and database, for people. */
  readonly place: string;
  readonly isTaken: boolean;
}

/**
 * The database of each part of a service: the one that has its shard already, else the next of the list. Throws
 * Misconfigured when the environment names more or fewer than the backup has, or when a node works on one of them.
 */
export async function schemaTargets(location: PostgresLocation, parts: readonly Part[]): Promise<SchemaTarget[]> {
  const { shards, schema } = location;
  if (shards.length !== parts.length)
    throw new Misconfigured(
      `the backup of ${schema} has ${parts.length} databases, but the environment names ${shards.length} for it`,
    );
  const found = await Promise.all(shards.map(url => withClient(url, client => look(client, url, schema))));
  const byShard = new Map(found.filter(({ shard }) => shard !== undefined).map(one => [one.shard!, one]));
  const free = found.filter(one => byShard.get(one.shard!) !== one);
  return parts.map(part => {
    const { url, place, isTaken } = byShard.get(part.shard) ?? free.shift()!;
    return { part, location, url, place: `${place}, schema ${schema}`, isTaken };
  });
}

interface Found {
  readonly url: string;
  readonly place: string;
  readonly isTaken: boolean;
  readonly shard: number | undefined;
}

async function look(client: pg.Client, url: string, schema: string): Promise<Found> {
  const { place } = readPostgresUrl(url);
  const { rows: sessions } = await client.query(
    `select count(*)::int as count from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
       and (usename = $1 or application_name like '% ' || $1)`,
    [schema],
  );
  if (sessions[0].count > 0)
    throw new Misconfigured(`nothing was restored: a node is running on ${place}, schema ${schema}. Stop it first`);
  const { rows } = await client.query("select tablename as name from pg_tables where schemaname = $1", [schema]);
  const hasShard = rows.some(({ name }) => name === "shard");
  const number = hasShard ? (await client.query(`select number from "${schema}".shard`)).rows[0]?.number : undefined;
  return { url, place, isTaken: rows.length > 0, shard: number === undefined ? undefined : Number(number) };
}

/** `kept`: suffix of the schema that was there before. A failure leaves that one in its place. */
export async function putInDatabase(folder: string, target: SchemaTarget, kept: string): Promise<void> {
  const { part, location, url, isTaken } = target;
  const { schema } = location;
  const before = `${schema}${kept}`;
  const rename = (from: string, to: string) =>
    withClient(url, client => client.query(`alter schema "${from}" rename to "${to}"`));
  if (isTaken) await rename(schema, before);
  try {
    await prepareDatabase(url, location);
    const how = ["--single-transaction", "--exit-on-error", `--schema=${schema}`, `--role=${schema}`];
    await runTool("pg_restore", url, [...how, join(folder, part.file)]);
  } catch (error) {
    await withClient(url, client => client.query(`drop schema if exists "${schema}" cascade`));
    if (isTaken) await rename(before, schema);
    throw error;
  }
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: readPostgresUrl(url).connectionString });
  client.on("error", () => {}); // a connection that is lost rejects what waits for it
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}
