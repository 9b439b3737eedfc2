// The metrics of a service's database: its pool, how long callers wait for a connection, and what the server tells at a scrape.
import { stat, statfs } from "node:fs/promises";
import type { Knex } from "knex";
import type { Service } from "moleculer";
import { metersOf, reading, type Meters, type Reading } from "../metrics/index.ts";
import type { Database } from "./database.ts";
import type { ReplicaObserver } from "./dialects/postgres/replica.ts";
import { databaseEnvironment } from "./environment.ts";
import type { DatabaseLocation } from "./location.ts";
import { databaseMetrics } from "./metrics.ts";
import type { PoolObserver } from "./pool.ts";

const limits = {
  /** Milliseconds for which the answer of the server is kept. */
  keptMs: 5_000,
  /** Milliseconds within which it must answer: less than a scrape waits. */
  answerMs: 800,
  /** Milliseconds for which sizes are kept: Postgres adds up the sizes of all files. */
  sizesKeptMs: 60_000,
} as const;

/** The observers of a database that is about to be opened; none with METRICS=off. */
export function poolMeters(service: Service): { onAcquire?: PoolObserver; onReplica?: ReplicaObserver } {
  const meters = metersOf(service.broker);
  if (!meters) return {};
  const labels = { service: service.name };
  const waits = meters.histogram(databaseMetrics.waitSeconds, labels);
  return {
    onAcquire: waitMs => waits.observe(waitMs / 1_000),
    onReplica(lagMs) {
      meters.gauge(databaseMetrics.replicaUsable, labels).set(lagMs === undefined ? 0 : 1);
      if (lagMs !== undefined && Number.isFinite(lagMs))
        meters.gauge(databaseMetrics.replicaLag, labels).set(lagMs / 1_000);
    },
  };
}

/** Reads the database at each scrape, until the function that it returns is called. */
export function measureDatabase(
  { broker, name: service }: Service,
  database: Database,
  at: DatabaseLocation,
): () => void {
  const meters = metersOf(broker);
  if (!meters) return () => {};
  measureDisk(meters, databaseEnvironment.of(broker).DATA_DIR);
  const { keptMs, sizesKeptMs } = limits;
  const ends = [
    meters.read("pool", () => poolOf(service, database.knex)),
    meters.read("database", () => stateOf(service, database, at), { keptMs }),
    meters.read("database size", () => sizeOf(service, database, at), { keptMs: sizesKeptMs }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** The parts of knex's pool (tarn) that its types leave out. */
interface Pool {
  numUsed(): number;
  numFree(): number;
  numPendingAcquires(): number;
  readonly max: number;
}

function poolOf(service: string, knex: Knex): Reading[] {
  const pool = knex.client.pool as Pool | undefined;
  // It is closed.
  if (!pool) return [];
  return [
    reading(databaseMetrics.connections, pool.numUsed(), { service, state: "used" }),
    reading(databaseMetrics.connections, pool.numFree(), { service, state: "free" }),
    reading(databaseMetrics.connectionsMax, pool.max, { service }),
    reading(databaseMetrics.waiting, pool.numPendingAcquires(), { service }),
  ];
}

/** Whether it answers. That it does not is a value, and no error of the scrape. */
async function stateOf(service: string, database: Database, { kind }: DatabaseLocation): Promise<Reading[]> {
  const up = (value: 0 | 1): Reading => reading(databaseMetrics.up, value, { service });
  try {
    if (kind === "sqlite") await within(database.now());
    else return [up(1), reading(databaseMetrics.oldestTransaction, await within(ageOf(database.knex)), { service })];
    return [up(1)];
  } catch {
    return [up(0)];
  }
}

/**
 * Seconds since the oldest transaction began that has written, in any database of the server: event readers wait for no
 * other, as the doctor has it. A role sees those of others only with pg_read_all_stats.
 */
async function ageOf(knex: Knex): Promise<number> {
  const { rows } = await knex.raw<{ rows: { age: unknown }[] }>(
    `select coalesce(extract(epoch from clock_timestamp() - min(since)), 0) as age from (
       select xact_start as since from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid()
       union all select prepared from pg_prepared_xacts) as writing`,
  );
  return Number(rows[0]!.age);
}

async function sizeOf(service: string, { knex }: Database, at: DatabaseLocation): Promise<Reading[]> {
  const bytes = at.kind === "sqlite" ? await sizeOfFiles(at.filename) : await sizeOfPostgres(knex);
  return [reading(databaseMetrics.size, bytes, { service })];
}

/** With the write-ahead log, which is not there when nobody has the file open. */
async function sizeOfFiles(filename: string): Promise<number> {
  const sizes = [filename, `${filename}-wal`].map(file =>
    stat(file).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function sizeOfPostgres(knex: Knex): Promise<number> {
  const { rows } = await knex.raw<{ rows: { size: unknown }[] }>("select pg_database_size(current_database()) as size");
  return Number(rows[0]!.size);
}

const disks = new WeakSet<Meters>();

/** The disk of the files of this process: once, however many services it has. */
function measureDisk(meters: Meters, folder: string): void {
  if (disks.has(meters)) return;
  disks.add(meters);
  meters.read(
    "disk",
    async () => {
      // Without a file in it the folder is not made.
      const disk = await statfs(folder).catch(() => undefined);
      if (!disk) return [];
      const { bavail, blocks, bsize } = disk;
      return [reading(databaseMetrics.diskFree, bavail * bsize), reading(databaseMetrics.diskSize, blocks * bsize)];
    },
    { keptMs: limits.keptMs },
  );
}

/** Rejects before the scrape gives it up, so that a server that hangs is told as one that is away. */
function within<T>(answer: Promise<T>): Promise<T> {
  answer.catch(() => {});
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer")), limits.answerMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
