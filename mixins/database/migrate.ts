import type { Knex } from "knex";
import type { Database } from "./database.ts";

/**
 * One step of a schema. Its name is recorded and never changes: `001_products`. SQL that both SQLite and Postgres know;
 * to drop a column write `alter table … drop column` yourself: knex rebuilds the table for it on SQLite, which the
 * foreign keys refuse within a transaction. Knex's `integer` has 64 bits on both, `string` and `uuid` are text that
 * compares by its bytes.
 */
export interface Migration {
  readonly name: string;
  up(knex: Knex): Promise<unknown>;
  down?(knex: Knex): Promise<unknown>;
}

/**
 * Brings the owner's tables up to date. Several owners (a service, the stream floor, the projection floor) share a
 * database, each with a record of its own, `migrations_<owner>`.
 *
 * All in one transaction, record included: processes that start at once wait for each other and find the work done, and
 * one that is killed half-way leaves nothing, not even knex's own lock row.
 *
 * Two releases run side by side in a roll-out and a roll-back, so a step must leave tables that the release before can
 * still read and write: it adds tables, nullable columns and indexes. Steps that this release does not know are a later
 * release's, and no reason to refuse the start.
 */
export async function migrate(database: Database, owner: string, migrations: readonly Migration[]): Promise<void> {
  await database.transaction(
    trx =>
      trx.migrate.latest({
        disableMigrationsListValidation: true,
        tableName: `migrations_${owner.replaceAll("-", "_")}`,
        migrationSource: {
          getMigrations: async () => [...migrations],
          getMigrationName: (migration: Migration) => migration.name,
          getMigration: async (migration: Migration) => ({
            up: knex => migration.up(knex),
            down: knex => migration.down?.(knex) ?? noWayBack(),
          }),
        },
      }),
    { lock: "migrations", isUntimed: true },
  );
}

const noWayBack = (): Promise<never> => Promise.reject(new Error("This migration has no way back"));
