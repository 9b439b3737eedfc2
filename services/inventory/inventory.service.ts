// The stock actors as a service: the level of a SKU, and the list of all SKUs.
import { badCursor, cursorOf, defineService, oneOfPageAndCursor, readCursor } from "@valence/runtime/contract";
import { Actors, type ActorHost } from "@valence/runtime/actor/mixin";
import { Ingresses } from "@valence/runtime/stream/mixin";
import { contract } from "./contract.ts";
import { stockErrors } from "./errors.ts";
import { reservedOf, Stock, wasEverThere } from "./stock.ts";
import { SupplierDeliveries } from "./supplier-deliveries.ingress.ts";

const limits = {
  /** Default number of SKUs on a page. */
  pageSize: 20,
  /** Names of SKUs that are read at once. */
  namesAtOnce: 1_000,
} as const;

export default defineService(contract, {
  mixins: [Actors(Stock), Ingresses(SupplierDeliveries)],
  actions: {
    level: {
      placement: "sku",
      repeatable: true,
      async handler({ params: { sku } }) {
        const { state } = await this.actors.get(sku);
        if (!wasEverThere(state)) throw stockErrors.STOCK_NOT_FOUND({ field: "sku", sku });
        return { sku, available: state.available, reserved: reservedOf(state) };
      },
    },
    levels: {
      repeatable: true,
      async handler(ctx) {
        const found = ctx.params.skus.map(sku => ctx.call("inventory.level", { sku }).catch(unlessUnknown));
        return { rows: (await Promise.all(found)).filter(level => level !== undefined) };
      },
    },
    list: {
      repeatable: true,
      async handler(ctx) {
        oneOfPageAndCursor(ctx.params);
        const { page = 1, pageSize = limits.pageSize, cursor } = ctx.params;
        const after = cursor === undefined ? await this.lastBefore((page - 1) * pageSize) : skuOf(cursor);
        const { store } = this.actors as ActorHost;
        const [found, total] = await Promise.all([
          after === undefined ? [] : (this.skusAfter(after, pageSize + 1) as Promise<string[]>),
          store.streamCount(),
        ]);
        const shown = found.slice(0, pageSize);
        const rows = await Promise.all(shown.map(sku => ctx.call("inventory.level", { sku })));
        return {
          rows,
          total,
          ...(cursor === undefined && { page }),
          pageSize,
          ...(found.length > pageSize && { nextCursor: cursorOf(ORDER, [shown.at(-1)]) }),
        };
      },
    },
  },
  methods: {
    /** SKUs in their order, after one; "" is before all. */
    async skusAfter(after: string, limit: number): Promise<string[]> {
      const actors: ActorHost = this.actors;
      const prefix = actors.streamOf("").length;
      const found = await actors.store.streamsByName(actors.streamOf(after), limit);
      return found.map(({ stream }) => stream.slice(prefix));
    },
    /** The SKU before the place with this number: a page by number passes over all SKUs before it. */
    async lastBefore(place: number): Promise<string | undefined> {
      let last = "";
      for (let left = place; left > 0; left -= limits.namesAtOnce) {
        const some: string[] = await this.skusAfter(last, Math.min(left, limits.namesAtOnce));
        if (some.length < Math.min(left, limits.namesAtOnce)) return undefined;
        last = some.at(-1)!;
      }
      return last;
    },
  },
});

/** A SKU that was never in stock has no level; any other error is one of the whole answer. */
function unlessUnknown(error: { readonly type?: unknown }): undefined {
  if (error.type !== stockErrors.STOCK_NOT_FOUND.code) throw error;
}

/** By SKU, byte by byte. */
const ORDER = "sku";
function skuOf(cursor: string): string {
  const [sku] = readCursor(cursor, ORDER, 1);
  if (typeof sku !== "string") throw badCursor();
  return sku;
}
