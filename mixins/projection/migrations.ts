// The tables of projections: their builds, and the one that is read.
import type { Knex } from "knex";

export const migrations = [
  {
    name: "001_projections",
    async up(knex: Knex): Promise<void> {
      await knex.schema.createTable("projections", table => {
        table.string("name").primary();
        table.integer("version").notNullable();
        table.integer("build").notNullable();
      });
      await knex.schema.createTable("projection_builds", table => {
        table.string("name").notNullable();
        table.integer("version").notNullable();
        table.integer("build").notNullable();
        table.text("tables").notNullable();
        table.bigInteger("retired_at");
        table.primary(["name", "version", "build"]);
      });
    },
  },
];

/**
 * The indexes that these migrations make on Postgres, by table, as `npm run doctor` looks for them. A test compares the list with a
 * database that is new.
 */
export const PROJECTION_INDEXES: Readonly<Record<string, readonly string[]>> = {
  projections: ["unique (name)"],
  projection_builds: ["unique (name, version, build)"],
};
