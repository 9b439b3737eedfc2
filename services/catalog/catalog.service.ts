import { defineService } from "../../mixins/contract/index.ts";
import { Crud, type KnexAdapter } from "../../mixins/crud/mixin.ts";
import { isUniqueViolation, type Database } from "../../mixins/database/mixin.ts";
import { newId, Refusal, rfc3339, trimmed } from "../../mixins/kernel/index.ts";
import { contract } from "./contract.ts";
import { products as migration } from "./migrations/001-products.ts";
import { productSearch } from "./migrations/002-product-search.ts";
import { products, type NewProduct, type Product } from "./product.ts";

const limits = {
  /** Products of a page unless asked otherwise. */
  pageSize: 20,
  /**
   * Seconds an answer is cached. A change cleans the cache at once; this bounds what an event that is lost on its way to
   * another node, or a Redis that the changing node could not reach, can leave behind.
   */
  cacheSeconds: 30,
  /** Rows of one insert: 10 columns each, and a statement of SQLite takes 32 766 values, one of Postgres 65 535. */
  insertRowsMax: 100,
};
const isBlank = (text: string | undefined): boolean => text === undefined || trimmed(text) === "";
const cachedBy = (...keys: string[]) => ({ keys, ttl: limits.cacheSeconds });

const notFound = (field: string, id: string): Refusal =>
  new Refusal("PRODUCT_NOT_FOUND", { field, message: `there is no product ${id}` });

export default defineService(contract, {
  mixins: [Crud({ ...products, migrations: [migration, productSearch] })],

  actions: {
    list: {
      cache: cachedBy("q", "category", "sort", "page", "pageSize"),
      repeatable: true,
      async handler(ctx) {
        const { q, category, sort, page = 1, pageSize = limits.pageSize } = ctx.params;
        const adapter: KnexAdapter = this.adapter;
        const asked = { search: q, query: category === undefined ? {} : { category } };
        const [rows, total] = await Promise.all([
          adapter.find({
            ...asked,
            // What is searched for comes by its rank, unless asked otherwise.
            sort: (sort ?? (isBlank(q) ? "name" : "")).replace("price", "price.amount"),
            limit: pageSize,
            offset: (page - 1) * pageSize,
          }),
          adapter.count(asked),
        ]);
        return { rows: rows as Product[], total, page, pageSize };
      },
    },

    get: {
      cache: cachedBy("id"),
      repeatable: true,
      async handler(ctx) {
        const { id } = ctx.params;
        const product = await this.adapter.findById(id);
        if (!product) throw notFound("id", id);
        return product;
      },
    },

    quote: {
      cache: cachedBy("ids"),
      repeatable: true,
      async handler(ctx) {
        const { ids } = ctx.params;
        const found: Product[] = await this.adapter.findByIds([...new Set(ids)]);
        const byId = new Map(found.map(product => [product.id, product]));
        ids.forEach((id, index) => {
          if (!byId.has(id)) throw notFound(`ids.${index}`, id);
        });
        return { products: [...new Set(ids)].map(id => byId.get(id)!) };
      },
    },

    async create(ctx) {
      const at = await this.now();
      return this.changed(this.adapter.insert({ ...ctx.params, createdAt: at, updatedAt: at }), ctx.params.sku);
    },

    async update(ctx) {
      const { id, ...changes } = ctx.params;
      const product = await this.changed(
        this.adapter.updateById(id, { $set: { ...changes, updatedAt: await this.now() } }),
        changes.sku,
      );
      if (!product) throw notFound("id", id);
      return product;
    },

    async remove(ctx) {
      const { id } = ctx.params;
      if (!(await this.changed(this.adapter.removeById(id)))) throw notFound("id", id);
      return { id };
    },

    /** Creates those whose SKU is not there yet; a repetition creates nothing. All or none. */
    async seed(ctx) {
      const at = await this.now();
      const adapter: KnexAdapter = this.adapter;
      const rows = ctx.params.products.map((product: NewProduct) =>
        adapter.columns.toRow({ ...product, id: newId(), createdAt: at, updatedAt: at }),
      );
      const database: Database = this.database;
      const created = await database.transaction(async trx => {
        let inserted = 0;
        for (let from = 0; from < rows.length; from += limits.insertRowsMax) {
          const some = rows.slice(from, from + limits.insertRowsMax);
          const added: { id: string }[] = await trx("products").insert(some).onConflict("sku").ignore().returning("id");
          await adapter.index!.complete(
            trx,
            added.map(({ id }) => id),
          );
          inserted += added.length;
        }
        return inserted;
      });
      this.adapter.noteChange();
      await this.clearCache();
      return { created };
    },
  },

  methods: {
    async now(): Promise<string> {
      return rfc3339(await this.database.now());
    },
    /** The answer of a change, once the cached answers are gone; a SKU that is there already is refused. */
    async changed<T>(change: Promise<T>, sku?: string): Promise<T> {
      try {
        const changed = await change;
        await this.clearCache();
        return changed;
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw new Refusal("SKU_TAKEN", { field: "sku", message: `there is another product with the SKU ${sku}` });
      }
    },
  },
});
