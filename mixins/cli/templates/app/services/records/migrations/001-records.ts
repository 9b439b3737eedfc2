import type { Migration } from "@valence/runtime/database";

export const createRecords: Migration = {
  name: "001_records",
  up: knex =>
    knex.schema.createTable("records", table => {
      table.uuid("id").primary();
      table.string("name", 200).notNullable();
      table.text("note");
      table.string("created_at").notNullable();
      table.string("updated_at").notNullable();
      table.index(["name", "id"]);
    }),
  down: knex => knex.schema.dropTable("records"),
};
