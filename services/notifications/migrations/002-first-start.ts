import type { Migration } from "@valence/runtime/database";

/** One row: the moment from which on events have mails, in milliseconds since the epoch. */
export const firstStart: Migration = {
  name: "002-first-start",
  up: knex =>
    knex.schema.createTable("first_start", table => {
      table.integer("id").primary();
      table.bigInteger("since").notNullable();
    }),
};
