import knex, { type Knex } from "knex";
import type { PostgresLocation } from "../../location.ts";
import { Misconfigured } from "../../../kernel/index.ts";
import type { Database, OpenOptions } from "../../database.ts";
import { observePool } from "../../pool.ts";
import { traceStatements } from "../../statements.ts";
import { connectionOf } from "./connection.ts";
import { PostgresClient, UNTIMED, type PostgresSettings } from "./postgres-client.ts";
import { prepareDatabase } from "./prepare.ts";
import { Replica } from "./replica.ts";
import { shardsOf } from "./shards.ts";
import { upsertPostgres } from "./upsert.ts";

const limits = {
  /** Milliseconds to wait for a connection of the pool; then `DATABASE_BUSY`. */
  acquireMsMax: 5_000,
  /** Milliseconds to wait for the answer to a statement: the server ends one after 15 s, so it is gone, or cut off. */
  answerMsMax: 20_000,
  /** The same of a standby: it serves reads of pages, and a frozen one must not keep a request until its time is up. */
  standbyAnswerMsMax: 3_000,
  /** Milliseconds until the pool tries again to connect: during an outage each attempt fails one of the waiting callers. */
  reconnectMs: 20,
};

/** Opens the service's schema; makes it, and its role, when missing. */
export async function openPostgres(location: PostgresLocation, options: OpenOptions): Promise<Database> {
  const home = await homeOf(location);
  const settings = (url: string, isStandby = false): PostgresSettings => ({
    connection: connectionOf(url, location, { isStandby }),
    isDurable: !options.rebuildable,
    answerMsMax: limits.answerMsMax,
  });
  const ofStandby = (url: string) => ({ ...settings(url, true), answerMsMax: limits.standbyAnswerMsMax });
  const primary = settings(home);
  const pool = poolOf(primary, location.poolSize);
  await connectOnce(pool);
  observePool(pool, options.onAcquire);
  const standby = location.replica === undefined ? undefined : poolOf(ofStandby(location.replica), location.poolSize);
  for (const knex of [pool, standby]) if (knex) traceStatements(knex, "postgresql", location.schema);
  const replica = standby && new Replica(standby, pool, options.onReplica);

  return {
    knex: pool,
    reads: (since = -Infinity) => (replica?.holds(since) ? replica.knex : pool),
    async transaction(work, { lock, isUntimed = false } = {}) {
      // A rollback on a connection that is gone fails as well, and knex would throw that error instead of the reason.
      let thrown: { error: unknown } | undefined;
      try {
        return await pool.transaction(async trx => {
          // Knex runs the callback even when the begin failed (knex 3.3, execution/transaction.js, `_onAcquire`).
          if (trx.isCompleted()) throw new Error("the transaction did not begin");
          try {
            if (isUntimed) await trx.raw(UNTIMED);
            if (lock !== undefined)
              await trx.raw("select pg_advisory_xact_lock(hashtextextended(?, 0))", [`${location.schema}/${lock}`]);
            return await work(trx);
          } catch (error) {
            thrown = { error };
            throw error;
          }
        });
      } catch (error) {
        throw thrown ? thrown.error : error;
      }
    },
    upsert: upsertPostgres,
    now: async (within = pool) => {
      const { rows } = await within.raw("select (extract(epoch from clock_timestamp()) * 1000)::bigint as now");
      return rows[0].now;
    },
    requireDurability() {
      primary.isDurable = true;
    },
    // A Postgres server makes its own checkpoints.
    leaveCheckpoints() {},
    async close() {
      await replica?.close();
      await pool.destroy();
    },
  };
}

/** Makes the first connection, which stays in the pool: a start that gets another session than it needs ends here. */
async function connectOnce(pool: Knex): Promise<void> {
  try {
    await pool.raw("select 1");
  } catch (error) {
    await pool.destroy();
    const { cause } = error as Error;
    throw cause instanceof Misconfigured ? cause : error;
  }
}

function poolOf(postgres: PostgresSettings, size: number): Knex {
  const config: Knex.Config & { postgres: PostgresSettings } = {
    client: PostgresClient as unknown as typeof Knex.Client,
    connection: {},
    postgres,
    // Messages carry the SQL, but not the values: those are people's data.
    compileSqlOnError: false,
    // Knex also throws the errors that it logs, and the code that catches them reports more.
    log: { warn: quiet, error: quiet, debug: quiet, deprecate: quiet },
    pool: {
      min: 0,
      max: size,
      idleTimeoutMillis: 30_000,
      createRetryIntervalMillis: limits.reconnectMs,
    },
    acquireConnectionTimeout: limits.acquireMsMax,
  };
  return knex(config);
}

/** The database with the service's own tables: the one there is, or shard 0, whatever the order of the URLs. */
async function homeOf(location: PostgresLocation): Promise<string> {
  const [url, ...others] = location.shards;
  if (others.length > 0) return (await shardsOf(location))[0]!.url;
  await prepareDatabase(url!, location);
  return url!;
}

const quiet = (): void => {};
