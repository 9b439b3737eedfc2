// Dumps schemas of Postgres at one moment. The services of one database are of one moment by one snapshot. Several databases
// are held for the time that it takes to begin a snapshot in each: all tables are locked against writing, as the files of
// SQLite are (sqlite-backup.ts).
import pg from "pg";
import { locationOf, readPostgresUrl } from "../../database/index.ts";
import { Misconfigured, type Environment } from "../../kernel/index.ts";
import type { Positions } from "./manifest.ts";
import { runTool } from "./postgres-tools.ts";
import { StillLocked } from "./sqlite-backup.ts";

const limits = {
  /** Milliseconds: less than the second after which Postgres looks for deadlocks, and would end a transaction of a service. */
  lockMs: 500,
};
/** `lock_timeout` has passed. */
const LOCK_NOT_AVAILABLE = "55P03";

/** The tables of one service in one database. */
export interface Store {
  readonly name: string;
  readonly schema: string;
  readonly url: string;
  readonly shard: number;
}

/** One transaction that keeps a snapshot, and one that may hold locks. */
interface Place {
  readonly url: string;
  readonly stores: Store[];
  readonly reader: pg.Client;
  readonly locker: pg.Client;
  snapshot?: string;
}

export class PostgresBackup {
  readonly #places: readonly Place[];
  readonly #needsLocks: boolean;

  private constructor(places: readonly Place[], needsLocks: boolean) {
    this.#places = places;
    this.#needsLocks = needsLocks;
  }

  /** Connects to the databases of the services that are on Postgres. `hasOthers`: other databases are copied as well. */
  static async open(
    environment: Environment,
    services: readonly string[],
    { hasOthers }: { readonly hasOthers: boolean },
  ): Promise<PostgresBackup> {
    const places = new Map<string, Place>();
    try {
      for (const name of services) {
        const location = locationOf(environment, name);
        if (location.kind !== "postgres") continue;
        for (const url of location.shards) {
          const place = places.get(url) ?? (await connect(url));
          places.set(url, place);
          const { schema } = location;
          const shard = await shardIn(place.reader, schema);
          if (shard !== undefined) place.stores.push({ name, schema, url, shard });
        }
      }
    } catch (error) {
      for (const place of places.values()) await disconnect(place);
      throw error;
    }
    const used = [...places.values()].filter(({ stores }) => stores.length > 0);
    for (const place of places.values()) if (!used.includes(place)) await disconnect(place);
    return new PostgresBackup(used, used.length > 1 || (used.length > 0 && hasOthers));
  }

  get stores(): readonly Store[] {
    return this.#places.flatMap(({ stores }) => stores);
  }

  /** Begins the snapshots. Throws StillLocked: then it may be called again. */
  async cut(): Promise<void> {
    try {
      if (this.#needsLocks) for (const place of this.#places) await lock(place);
      for (const place of this.#places) {
        await place.reader.query("rollback");
        await place.reader.query("begin isolation level repeatable read read only");
        await place.reader.query("set local idle_in_transaction_session_timeout = 0; set local statement_timeout = 0");
        const { rows } = await place.reader.query("select pg_export_snapshot() as snapshot");
        place.snapshot = rows[0].snapshot;
      }
    } finally {
      for (const { locker } of this.#places) await locker.query("rollback");
    }
  }

  /** Writes what the snapshot shows of the store. */
  async dumpTo(path: string, store: Store): Promise<Positions> {
    const { reader, snapshot } = this.#places.find(({ url }) => url === store.url)!;
    const positions = await positionsOf(reader, store);
    const what = ["--format=custom", `--schema=${store.schema}`, `--role=${store.schema}`, `--snapshot=${snapshot}`];
    await runTool("pg_dump", store.url, [...what, "--strict-names", `--file=${path}`]);
    return positions;
  }

  async close(): Promise<void> {
    for (const place of this.#places) await disconnect(place);
  }
}

async function connect(url: string): Promise<Place> {
  const { connectionString, isPooled, place } = readPostgresUrl(url);
  if (isPooled)
    throw new Misconfigured(`${place} is PgBouncer: for this command name the server itself, without pgbouncer=true`);
  const clients = [new pg.Client({ connectionString }), new pg.Client({ connectionString })] as const;
  for (const client of clients) {
    client.on("error", () => {}); // a connection that is lost rejects what waits for it
    await client.connect();
  }
  const [reader, locker] = clients;
  return { url, stores: [], reader, locker };
}

async function disconnect({ reader, locker }: Place): Promise<void> {
  for (const client of [reader, locker]) await client.end().catch(() => {});
}

/** The shard that the schema holds; undefined where a service has nothing. */
async function shardIn(client: pg.Client, schema: string): Promise<number | undefined> {
  const { rows } = await client.query("select tablename as name from pg_tables where schemaname = $1", [schema]);
  if (rows.length === 0) return undefined;
  if (!rows.some(({ name }) => name === "shard")) return 0;
  const found = await client.query(`select number from "${schema}".shard`);
  return Number(found.rows[0]?.number ?? 0);
}

/** Waits for the transactions that write to the tables, and keeps new ones waiting until the end of its own. */
async function lock({ url, stores, locker }: Place): Promise<void> {
  const schemas = stores.map(({ schema }) => schema);
  const { rows } = await locker.query(
    "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = any($1) order by name",
    [schemas],
  );
  await locker.query("begin");
  await locker.query(`set local lock_timeout = ${limits.lockMs}`);
  try {
    await locker.query(`lock table ${rows.map(({ name }) => name).join(", ")} in share mode`);
  } catch (error) {
    if ((error as { code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
    throw new StillLocked(readPostgresUrl(url).place, error);
  }
}

async function positionsOf(reader: pg.Client, { schema }: Store): Promise<Positions> {
  const { rows } = await reader.query("select tablename as name from pg_tables where schemaname = $1", [schema]);
  const tables = new Set(rows.map(({ name }) => name as string));
  const from = async (table: string, sql: string): Promise<any[]> =>
    tables.has(table) ? (await reader.query(sql.replaceAll("$.", `"${schema}".`))).rows : [];
  const [log] = await from("log_identity", "select identity from $.log_identity");
  const [newest] = await from(
    "events",
    "select e.xid::text || ':' || e.position as head from $.events e order by e.xid desc, e.position desc limit 1",
  );
  const checkpoints = await from(
    "checkpoints",
    "select consumer, source, partition, cursor from $.checkpoints order by consumer, source, partition",
  );
  return { ...(log && { log: { identity: log.identity, head: newest?.head ?? "0" } }), checkpoints };
}
