// Products: administrators create, change and remove them, visitors list and search them. Answers are cached, and every
// change cleans the cache. A SKU belongs to one product, and to no other while pieces of it are in stock.
import {
  announceChange,
  assertConditions,
  callErrors,
  defineService,
  entityTag,
  oneOfPageAndCursor,
  type Conditions,
  type Context,
} from "@valence/runtime/contract";
import { Purges } from "@valence/runtime/cdn/mixin";
import { Crud, type Change, type KnexAdapter } from "@valence/runtime/crud/mixin";
import { isUniqueViolation, type Database } from "@valence/runtime/database";
import type { Refusal } from "@valence/runtime/kernel";
import { newId, rfc3339, trimmed } from "@valence/runtime/kernel";
import { shopErrors } from "../errors.ts";
import { CATEGORIES, categoryTag, contract, imageTag, PRODUCTS, productTag } from "./contract.ts";
import { catalogErrors } from "./errors.ts";
import { products as migration } from "./migrations/001-products.ts";
import { productSearch } from "./migrations/002-product-search.ts";
import { productOrder } from "./migrations/003-product-order.ts";
import { products, type NewProduct, type Product } from "./product.ts";

const limits = {
  /** Default number of products on a page. */
  pageSize: 20,
  /**
   * Seconds that an answer is cached. A change cleans the cache at once; this bounds how long an old answer lives when
   * an event to another node is lost, or the changing node could not reach Redis.
   */
  cacheSeconds: 30,
  /** Rows of one insert: 10 columns each, and a statement of SQLite takes 32 766 values, one of Postgres 65 535. */
  insertRowsMax: 100,
};
const isBlank = (text: string | undefined): boolean => text === undefined || trimmed(text) === "";
/** A search is sorted by rank unless the caller asks otherwise; without one there is no rank. */
const sortOf = (sort: string | undefined, q: string | undefined): string =>
  isBlank(q) && (sort ?? "rank") === "rank" ? "name" : (sort ?? "").replace("price", "price.amount");
const cachedBy = (...keys: string[]) => ({ keys, ttl: limits.cacheSeconds });

const notFound = (field: string, id: string): Refusal => shopErrors.PRODUCT_NOT_FOUND({ field, id });

const skuTaken = (sku: string): Refusal => catalogErrors.SKU_TAKEN({ field: "sku", sku });

/** Refused while pieces of a SKU are in stock, reserved ones included: they belong to the product that had the SKU. */
async function assertNoStock(ctx: Context, sku: string): Promise<void> {
  const { state } = await ctx.call("inventory.get", { id: sku, consistent: true });
  const { received, adjusted = 0, available, sold } = state;
  const held = received + adjusted - sold;
  if (held === 0) return;
  throw catalogErrors.SKU_IN_STOCK({ field: "sku", available, sku, reserved: held - available });
}

/** The answers that a change of one product makes untrue, in a network before the gateways: lists of other categories are not. */
function tagsOf({ before, after }: Change<Product>): string[] {
  const versions = [before, after].filter(product => product !== undefined);
  const isPictured = before?.image !== after?.image || before?.name !== after?.name;
  return [
    PRODUCTS,
    ...versions.flatMap(({ id, category }) => [productTag(id), categoryTag(category)]),
    ...(isPictured ? versions.map(({ id }) => imageTag(id)) : []),
  ];
}

export default defineService(contract, {
  mixins: [
    Crud<Product>({
      ...products,
      migrations: [migration, productSearch, productOrder],
      onChange: ({ purges }, trx, change) => purges.note(trx, tagsOf(change)),
    }),
    Purges(),
  ],

  actions: {
    list: {
      cache: cachedBy("q", "category", "sort", "page", "pageSize", "cursor"),
      repeatable: true,
      async handler(ctx) {
        oneOfPageAndCursor(ctx.params);
        const { q, category, sort, page = 1, pageSize = limits.pageSize, cursor } = ctx.params;
        const asked = { search: q, query: category === undefined ? {} : { category } };
        const [{ rows, nextCursor }, total] = await Promise.all([
          this.adapter.page({
            ...asked,
            sort: sortOf(sort, q),
            limit: pageSize,
            offset: (page - 1) * pageSize,
            cursor,
          }),
          this.adapter.count(asked),
        ]);
        return {
          rows,
          total,
          ...(cursor === undefined && { page }),
          pageSize,
          ...(nextCursor !== undefined && { nextCursor }),
        };
      },
    },

    categories: {
      cache: cachedBy(),
      repeatable: true,
      async handler() {
        const { knex } = this.database;
        const rows: { category: string; products: number | string }[] = await knex("products")
          .groupBy("category")
          .orderBy("category")
          .select("category")
          .count({ products: "*" });
        return { rows: rows.map(({ category, products }) => ({ category, products: Number(products) })) };
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
        const found = await this.adapter.findByIds([...new Set(ids)]);
        const byId = new Map(found.map(product => [product.id, product]));
        const errors = ids.flatMap((id, index) =>
          byId.has(id) ? [] : [{ field: `ids.${index}`, message: `there is no product ${id}` }],
        );
        if (errors.length > 0) throw shopErrors.PRODUCT_NOT_FOUND({ message: errors[0]!.message, errors });
        return { products: [...new Set(ids)].map(id => byId.get(id)!) };
      },
    },

    bySku: {
      repeatable: true,
      async handler(ctx) {
        const { sku } = ctx.params;
        const product = await this.withSku(sku);
        if (!product) throw shopErrors.PRODUCT_NOT_FOUND({ field: "sku", message: `no product has the SKU ${sku}` });
        return product;
      },
    },

    async create(ctx) {
      await this.assertFree(ctx, ctx.params.sku);
      const at = await this.now();
      const { sku } = ctx.params;
      return this.changed(this.adapter.insert({ ...ctx.params, createdAt: at, updatedAt: at }), undefined, sku);
    },

    async update(ctx) {
      const { id, if: conditions, unchanged, ...changes } = ctx.params;
      if (changes.sku !== undefined) await this.assertMovable(ctx, id, changes.sku);
      const product = await this.changed(
        this.adapter.updateById(
          id,
          { $set: { ...changes, updatedAt: await this.now() } },
          guardOf(conditions, unchanged),
        ),
        id,
        changes.sku,
      );
      if (!product) throw notFound("id", id);
      return product;
    },

    async remove(ctx) {
      const { id, if: conditions } = ctx.params;
      if (!(await this.changed(this.adapter.removeById(id, guardOf(conditions)), id))) throw notFound("id", id);
      return { id };
    },

    /** Creates the products whose SKU is new; a repetition creates nothing. All or none. */
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
        if (inserted > 0) await this.purges.note(trx, [PRODUCTS, CATEGORIES]);
        return inserted;
      });
      this.adapter.noteChange();
      await this.cleanCaches();
      return { created };
    },
  },

  methods: {
    async now(): Promise<string> {
      return rfc3339(await this.database.now());
    },
    /** Read from the primary, so that a product created a moment ago is found. */
    async withSku(sku: string): Promise<Product | undefined> {
      const row = await this.database.knex("products").where({ sku }).first();
      return row && (this.adapter as KnexAdapter).columns.toEntity(row);
    },
    /**
     * Stock belongs to the SKU. A product that changed its SKU would leave its stock behind, and could take over the
     * stock of another.
     */
    async assertMovable(ctx: Context, id: string, sku: string): Promise<void> {
      const product: { sku: string } | undefined = await this.database.knex("products").where({ id }).first("sku");
      if (!product) throw notFound("id", id);
      if (product.sku === sku) return;
      await this.assertFree(ctx, sku);
      await assertNoStock(ctx, product.sku);
    },
    async assertFree(ctx: Context, sku: string): Promise<void> {
      if (await this.withSku(sku)) throw skuTaken(sku);
      await assertNoStock(ctx, sku);
    },
    /** Cleans the cached answers of this service, on every node, then those of the gateways, and of a network before them. */
    async cleanCaches(id?: string): Promise<void> {
      await this.clearCache();
      await announceChange(this.broker, [PRODUCTS, CATEGORIES, ...(id === undefined ? [] : [productTag(id)])]);
      this.purges.wake();
    },
    /** Answers a change, after the cached answers are cleaned; refuses a SKU that another product has. */
    async changed<T>(change: Promise<T>, id?: string, sku?: string): Promise<T> {
      try {
        const changed = await change;
        await this.cleanCaches(id);
        return changed;
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw skuTaken(sku!);
      }
    },
  },
});

type Times = Partial<Pick<Product, "createdAt" | "updatedAt">>;
/** Checks a product just before it changes: whether it is in the state that the client has seen. */
function guardOf(conditions?: Conditions, unchanged: Times = {}): ((product: Product) => void) | undefined {
  const times = Object.entries(unchanged) as [keyof Times, string][];
  if (!conditions && times.length === 0) return undefined;
  return product => {
    if (conditions) assertConditions(conditions, { tag: entityTag(product), modifiedAt: product.updatedAt });
    for (const [field, time] of times)
      if (product[field] !== time)
        throw callErrors.VALIDATION_ERROR({ field, message: "is the catalog's own, and another" });
  };
}
