import type { Migration } from "@valence/runtime/database";

export const cartItems: Migration = {
  name: "001_cart_items",
  up: knex =>
    knex.schema.createTable("cart_items", table => {
      table.uuid("owner").notNullable();
      table.uuid("product_id").notNullable();
      table.integer("quantity").notNullable();
      table.string("added_at").notNullable();
      table.string("updated_at").notNullable();
      table.primary(["owner", "product_id"]);
    }),
  down: knex => knex.schema.dropTable("cart_items"),
};
