// Carts of customers, and their way into orders and back (see `cart-store.ts`). A claim ends by the events of its order; if
// those are missed, a later read of the cart asks the order.
import type { Service } from "moleculer";
import {
  assertConditions,
  defineService,
  entityTag,
  typedCall,
  type Conditions,
  type Context,
  actsFor,
  inCallersWords,
} from "@valence/runtime/contract";
import { Sql } from "@valence/runtime/database/mixin";
import { redisOf } from "@valence/runtime/redis";
import { Reactors } from "@valence/runtime/stream/mixin";
import type { Cart, Claim, Outcome, StoredCart } from "./cart-store.ts";
import { contract } from "./contract.ts";
import { cartErrors } from "./errors.ts";
import { EmptyCart } from "./empty-cart.reactor.ts";
import { cartItems } from "./migrations/001-cart-items.ts";
import { cartClaims } from "./migrations/002-cart-claims.ts";
import { redisCartStore } from "./redis-cart-store.ts";
import { sqlCartStore } from "./sql-cart-store.ts";

const limits = {
  /** Lines of a cart: as many as an order takes. */
  linesMax: 100,
  /** Pieces of one line, as the contract has it: returned pieces are added up to this. */
  quantityMax: 1_000,
  /**
   * Milliseconds, on the store's clock, after which a claim is old: the carts then ask the order for its outcome. A
   * placed order settles its claim by its events, and the client of a node that died repeats within moments.
   */
  claimPatienceMs: 60_000,
  /** Old claims that one read of a cart settles, and milliseconds that it waits for an order's answer. */
  settledAtOnce: 5,
  settleMs: 1_000,
};

export default defineService(contract, {
  mixins: [Sql({ migrations: [cartItems, cartClaims] }), Reactors(EmptyCart)],

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
      const version = await this.versionFor(ctx.params, productId);
      if (!(await this.carts.put(owner, productId, quantity, limits.linesMax, version)))
        throw cartErrors.CART_FULL({ field: "productId", lines: limits.linesMax });
      return this.cartOf(ctx);
    },

    async removeItem(ctx) {
      const { owner, productId } = ctx.params;
      refuseOthers(ctx);
      await this.carts.remove(owner, productId, await this.versionFor(ctx.params, productId));
      return this.cartOf(ctx);
    },

    async clear(ctx) {
      const { owner, before } = ctx.params;
      refuseOthers(ctx);
      await this.carts.clear(owner, before, await this.versionFor(ctx.params));
      return this.cartOf(ctx);
    },

    take({ params: { owner, ...claim } }) {
      return this.carts.take(owner, claim);
    },

    async settle({ params: { orderId, outcome } }) {
      await this.settle(orderId, outcome);
      return {};
    },
  },

  methods: {
    async cartOf(ctx: Context<{ owner: string }>): Promise<Cart> {
      refuseOthers(ctx);
      const cart: StoredCart = await this.carts.get(ctx.params.owner);
      const old = cart.claims.filter(({ ageMs }) => ageMs >= limits.claimPatienceMs);
      if (old.length === 0) return shown(cart);
      await Promise.all(
        old.slice(0, limits.settledAtOnce).map(({ orderId }) =>
          this.settle(orderId).catch((error: Error) => {
            // The next read asks again; this one shows the cart as it is.
            this.logger.warn(
              `cart of ${ctx.params.owner}: what became of order ${orderId} is not known: ${error.message}`,
            );
          }),
        ),
      );
      return shown(await this.carts.get(ctx.params.owner));
    },

    /**
     * The version of the cart for which a client's conditions hold, if it sent any: the store changes no other version.
     * For a line, `*` asks whether it is there.
     */
    async versionFor(asked: { owner: string; if?: Conditions }, productId?: string): Promise<number | undefined> {
      if (!asked.if) return undefined;
      const cart = shown(await this.carts.get(asked.owner));
      const exists = productId === undefined || cart.items.some(item => item.productId === productId);
      assertConditions(asked.if, { tag: entityTag(cart), modifiedAt: cart.updatedAt, exists });
      return cart.version;
    },

    /** `known`: the outcome that an event of the order has told. */
    async settle(orderId: string, known?: Outcome): Promise<void> {
      const claim = await this.carts.claim(orderId);
      const outcome = claim && (await this.outcomeOf(claim, known));
      if (outcome) await this.carts.settle(orderId, outcome, limits);
    },

    /**
     * Whether the order belongs to this cart and stands. A command that was not executed is abandoned: it can never be
     * executed later, so its lines can go back. Undefined while the order is being placed.
     */
    async outcomeOf({ orderId: id, commandId, version }: Claim, known?: Outcome): Promise<Outcome | undefined> {
      const call = typedCall(this.broker);
      const { settleMs: timeoutMs } = limits;
      const [placed] = (await call("orders.history", { id, limit: 1 }, { timeoutMs })).events;
      if (!placed) {
        const { executed } = await call("orders.abandon", { id, commandId }, { timeoutMs });
        return executed ? undefined : "returned";
      }
      if ((placed.data as { cartVersion?: number }).cartVersion !== version) return "returned";
      if (known) return known;
      const { status } = (await call("orders.get", { id, consistent: true }, { timeoutMs })).state;
      if (status === "confirmed" || status === "shipped") return "kept";
      return status === "rejected" || status === "cancelled" ? "returned" : undefined;
    },
  },

  async started(this: Service & Record<string, any>) {
    const redis = redisOf(this.broker);
    await redis?.tried;
    this["carts"] = redis ? redisCartStore(redis) : sqlCartStore(this["database"]);
  },
});

const shown = ({ claims: _ours, ...cart }: StoredCart): Cart => cart;

/** A cart is open to its owner alone; other services (for an order that is placed) may ask for any. */
function refuseOthers(ctx: Context<{ owner: string }>): void {
  if (!actsFor(ctx, ctx.params.owner, [])) throw cartErrors.NOT_YOURS({ field: "owner" });
}

async function refuseUnknown(ctx: Context, productId: string): Promise<void> {
  await inCallersWords(ctx.call("catalog.get", { id: productId }), { PRODUCT_NOT_FOUND: { id: "productId" } });
}
