import type { Migration } from "@valence/runtime/database";

/** A list by price or by time reads an index from its place on; without one each page sorted all products. */
export const productOrder: Migration = {
  name: "003_product_order",
  up: knex =>
    knex.schema.alterTable("products", table => {
      table.index(["price_amount", "id"]);
      table.index(["created_at", "id"]);
    }),
  down: knex =>
    knex.schema.alterTable("products", table => {
      table.dropIndex(["price_amount", "id"]);
      table.dropIndex(["created_at", "id"]);
    }),
};
