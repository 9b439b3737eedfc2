import type { Migration } from "@valence/runtime/database";

/** A cart without a row here has version 0. Nodes of the previous release go on with `cart_items`. */
export const cartClaims: Migration = {
  name: "002_cart_claims",
  up: async knex => {
    await knex.schema.createTable("carts", table => {
      table.uuid("owner").primary();
      table.bigInteger("version").notNullable();
    });
    await knex.schema.createTable("cart_claims", table => {
      table.string("order_id").primary();
      table.string("command_id").notNullable();
      table.uuid("owner").notNullable().index();
      table.bigInteger("version").notNullable();
      table.string("state").notNullable();
      table.text("lines").notNullable();
      table.bigInteger("taken_at").notNullable();
    });
  },
  down: async knex => {
    await knex.schema.dropTable("cart_claims");
    await knex.schema.dropTable("carts");
  },
};
