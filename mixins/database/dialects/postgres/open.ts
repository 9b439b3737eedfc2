import knex from "knex";
import type { PostgresLocation } from "../../../kernel/index.ts";
import type { Database } from "../../database.ts";
import { connectionOf } from "./connection.ts";
import { prepareDatabase } from "./prepare.ts";

/** Opens the service's schema; makes it, and its role, when missing. */
export async function openPostgres(location: PostgresLocation, _options: { rebuildable: boolean }): Promise<Database> {
  const [url] = location.shards;
  await prepareDatabase(url!, location);
  const pool = knex({
    client: "pg",
    connection: connectionOf(url!, location) as Record<string, unknown>,
    pool: { min: 0, max: location.poolSize },
  });
  return {
    knex: pool,
    transaction: work => pool.transaction(work),
    now: async () => {
      const { rows } = await pool.raw("select (extract(epoch from clock_timestamp()) * 1000)::bigint as now");
      return rows[0].now;
    },
    requireDurability() {},
    leaveCheckpoints() {},
    close: () => pool.destroy(),
  };
}
