import type { Database } from "../../mixins/database/mixin.ts";
import { rfc3339 } from "../../mixins/kernel/index.ts";
import type { CartStore } from "./cart-store.ts";

interface Row {
  owner: string;
  product_id: string;
  quantity: number;
  added_at: string;
  updated_at: string;
}

export function sqlCartStore(database: Database): CartStore {
  const { knex } = database;
  return {
    async get(owner) {
      const rows = await knex<Row>("cart_items").where({ owner }).orderBy(["added_at", "product_id"]);
      const times = rows.map(row => row.updated_at).sort();
      return {
        items: rows.map(row => ({ productId: row.product_id, quantity: row.quantity })),
        ...(times.length > 0 && { updatedAt: times.at(-1)! }),
      };
    },

    async put(owner, productId, quantity, linesMax) {
      const at = rfc3339(await database.now());
      return database.transaction(
        async trx => {
          const others = await trx<Row>("cart_items")
            .where({ owner })
            .whereNot({ product_id: productId })
            .count({ n: "*" });
          if (Number(others[0]!["n"]) >= linesMax) return false;
          await trx<Row>("cart_items")
            .insert({ owner, product_id: productId, quantity, added_at: at, updated_at: at })
            .onConflict(["owner", "product_id"])
            .merge(["quantity", "updated_at"]);
          return true;
        },
        { lock: `cart/${owner}` },
      );
    },

    async remove(owner, productId) {
      await knex<Row>("cart_items").where({ owner, product_id: productId }).del();
    },

    async clear(owner, before) {
      const lines = knex<Row>("cart_items").where({ owner });
      await (before === undefined ? lines : lines.where("updated_at", "<=", before)).del();
    },
  };
}
