import type { Migration } from "@valence/runtime/database";

export const products: Migration = {
  name: "001_products",
  up: knex =>
    knex.schema.createTable("products", table => {
      table.uuid("id").primary();
      table.string("sku", 64).notNullable().unique();
      table.string("name", 200).notNullable();
      table.text("description").notNullable();
      table.bigInteger("price_amount").notNullable();
      table.string("price_currency", 3).notNullable();
      table.string("category", 60).notNullable();
      table.string("image", 500);
      table.string("created_at").notNullable();
      table.string("updated_at").notNullable();
      table.index(["category", "name"]);
      table.index(["name"]);
    }),
  down: knex => knex.schema.dropTable("products"),
};
