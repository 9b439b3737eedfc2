// The table of changes that a network has to be told of, in the database of the service that owns what has changed.
import type { Knex } from "knex";

export const migrations = [
  {
    name: "001_cdn_purges",
    async up(knex: Knex): Promise<void> {
      await knex.schema.createTable("cdn_purges", table => {
        table.string("id").primary();
        // JSON: keys as the network knows them.
        table.text("keys").notNullable();
        table.bigInteger("changed_at").notNullable();
        table.bigInteger("due_at").notNullable().index();
        // How often the network has been told.
        table.integer("rounds").notNullable().defaultTo(0);
        // Names the node that sends it, until `due_at`.
        table.string("claim").index();
      });
    },
  },
];

/** The indexes that the migrations make on Postgres, by table, as `npm run doctor` looks for them. */
export const CDN_INDEXES: Readonly<Record<string, readonly string[]>> = {
  cdn_purges: ["unique (id)", "(due_at)", "(claim)"],
};
