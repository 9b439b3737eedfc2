import { searchMigration } from "@valence/runtime/crud/mixin";
import type { Migration } from "@valence/runtime/database";

// The fields of the release that this step belongs to: a step does not change with the product. A new field gets a step
// of its own.
const search = searchMigration("002_product_search", {
  table: "products",
  idField: "id",
  search: { fields: ["name", "sku", "description"], sorted: ["name"] },
});

export const productSearch: Migration = {
  name: search.name,
  async up(knex) {
    await search.up(knex);
    await knex.schema.alterTable("products", table => void table.index(["category", "name_folded"]));
  },
};
