import type { Service } from "moleculer";
import { defineService, type Context } from "../../mixins/contract/index.ts";
import { Sql } from "../../mixins/database/mixin.ts";
import { plainError, Refusal } from "../../mixins/kernel/index.ts";
import { redisOf } from "../../mixins/redis/index.ts";
import { Reactors } from "../../mixins/stream/mixin.ts";
import type { Cart } from "./cart-store.ts";
import { contract } from "./contract.ts";
import { EmptyCart } from "./empty-cart.reactor.ts";
import { cartItems } from "./migrations/001-cart-items.ts";
import { redisCartStore } from "./redis-cart-store.ts";
import { sqlCartStore } from "./sql-cart-store.ts";

const limits = {
  /** Lines of a cart: what an order takes. */
  linesMax: 100,
};

export default defineService(contract, {
  mixins: [Sql({ migrations: [cartItems] }), Reactors(EmptyCart)],

  actions: {
    get: {
      repeatable: true,
      handler(ctx) {
        return this.cartOf(ctx);
      },
    },

    async put(ctx) {
      const { owner, productId, quantity } = ctx.params;
      refuseOthers(ctx);
      await refuseUnknown(ctx, productId);
      if (!(await this.carts.put(owner, productId, quantity, limits.linesMax)))
        throw new Refusal("CART_FULL", {
          field: "productId",
          message: `a cart holds ${limits.linesMax} different products`,
        });
      return this.cartOf(ctx);
    },

    async removeItem(ctx) {
      const { owner, productId } = ctx.params;
      refuseOthers(ctx);
      await this.carts.remove(owner, productId);
      return this.cartOf(ctx);
    },

    async clear(ctx) {
      const { owner, before } = ctx.params;
      refuseOthers(ctx);
      await this.carts.clear(owner, before);
      return this.cartOf(ctx);
    },
  },

  methods: {
    cartOf(ctx: Context<{ owner: string }>): Promise<Cart> {
      refuseOthers(ctx);
      return this.carts.get(ctx.params.owner);
    },
  },

  async started(this: Service & Record<string, any>) {
    const redis = redisOf(this.broker);
    await redis?.tried;
    this["carts"] = redis ? redisCartStore(redis) : sqlCartStore(this["database"]);
  },
});

/** A cart is its owner's alone; other services (an order that is placed) may ask for any. */
function refuseOthers({ meta, params }: Context<{ owner: string }>): void {
  if (meta.user && meta.user.id !== params.owner)
    throw new Refusal("NOT_YOURS", { status: 403, field: "owner", message: "this cart belongs to someone else" });
}

async function refuseUnknown(ctx: Context, productId: string): Promise<void> {
  try {
    await ctx.call("catalog.get", { id: productId });
  } catch (error) {
    const { type, message } = plainError(error);
    throw type === "PRODUCT_NOT_FOUND" ? new Refusal(type, { field: "productId", message }) : error;
  }
}
