// The stock actors as a service: the level of a SKU, and the list of all SKUs.
import { defineService } from "@valence/runtime/contract";
import { Actors, type ActorHost } from "@valence/runtime/actor/mixin";
import { contract } from "./contract.ts";
import { stockErrors } from "./errors.ts";
import { reservedOf, Stock, wasEverThere } from "./stock.ts";

const limits = {
  /** Default number of SKUs on a page. */
  pageSize: 20,
  /** Names of SKUs that are read at once. */
  namesAtOnce: 1_000,
} as const;

export default defineService(contract, {
  mixins: [Actors(Stock)],
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
    list: {
      repeatable: true,
      async handler(ctx) {
        const { page = 1, pageSize = limits.pageSize } = ctx.params;
        const skus: string[] = await this.skus();
        const shown = skus.slice((page - 1) * pageSize, page * pageSize);
        const rows = await Promise.all(shown.map(sku => ctx.call("inventory.level", { sku })));
        return { rows, total: skus.length, page, pageSize };
      },
    },
  },
  methods: {
    /** Sorted by SKU: the store has them in the order in which they were first received. */
    async skus(): Promise<string[]> {
      const actors: ActorHost = this.actors;
      const prefix = actors.streamOf("").length;
      const names: string[] = [];
      for (let after: string | undefined; ; after = names.at(-1)) {
        const some = await actors.store.streams(after, limits.namesAtOnce);
        names.push(...some.map(({ stream }) => stream));
        if (some.length < limits.namesAtOnce) break;
      }
      return names.map(name => name.slice(prefix)).sort();
    },
  },
});
