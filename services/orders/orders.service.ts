// The order actors as a service. It decides which user may see or cancel an order, and gives a cart back when its order is
// refused.
import type { Service } from "moleculer";
import { isRefusal } from "@valence/runtime/kernel";
import {
  badCursor,
  cursorOf,
  defineService,
  readCursor,
  typedCall,
  type ParamsOf,
  type ResultOf,
  type User,
  actsFor,
  assertOwned,
  callErrors,
} from "@valence/runtime/contract";
import { Actors } from "@valence/runtime/actor/mixin";
import { metersOf } from "@valence/runtime/metrics";
import { contract } from "./contract.ts";
import { countOrders } from "./count-orders.ts";
import { orderErrors } from "./errors.ts";
import { Order } from "./order.ts";

type Ctx = { params: Record<string, unknown>; meta: { user?: User } };

export default defineService(contract, {
  mixins: [Actors(Order)],
  hooks: {
    before: { place: actsForItself, cancel: actsForItselfOrAsAdmin },
    error: { place: returnsCart },
  },
  async started() {
    const meters = metersOf(this.broker);
    if (meters) this.actors.onCommitted(countOrders(meters));
  },
  actions: {
    view: {
      placement: "id",
      repeatable: true,
      async handler(ctx) {
        const { id } = ctx.params;
        const { version, state } = await this.actors.get(id);
        assertOwned(ctx, state.customer, orderErrors.ORDER_NOT_FOUND);
        // An order with a customer was placed, and has everything that `place` records.
        return { id, version, ...state } as ResultOf<"orders.view">;
      },
    },
    timeline: {
      placement: "id",
      repeatable: true,
      async handler(ctx) {
        const { id, pageSize = limits.timelineEvents } = ctx.params;
        const from = firstVersion(ctx.params);
        const { state } = await this.actors.get(id);
        assertOwned(ctx, state.customer, orderErrors.ORDER_NOT_FOUND);
        const found: { type: string; version: number; at: string; data: Record<string, unknown> }[] =
          await this.actors.history(id, from, pageSize + 1);
        const events = found.slice(0, pageSize);
        return {
          id,
          events: events.map(({ type, version, at, data }) => ({ type, version, at, data: shown(data) })),
          ...(found.length > pageSize && { nextCursor: cursorOf(orderOf(id), [from + pageSize]) }),
        };
      },
    },
  },
});

const limits = {
  /** Events in one answer. An order takes six steps: this is a bound, and a page only for a client that wants less. */
  timelineEvents: 100,
  /** Version in a cursor: no order takes so many steps, and a database keeps versions in four bytes. */
  versionMax: 1_000_000_000,
} as const;

/** A place in the history of one order is none in another's. */
const orderOf = (id: string): string => `history of ${id}`;
/** Version of the first event of a page. Refuses (422) a cursor of another history, and one beside `from`. */
function firstVersion({ id, from, cursor }: ParamsOf<"orders.timeline">): number {
  if (cursor === undefined) return from ?? 1;
  if (from !== undefined)
    throw callErrors.VALIDATION_ERROR({ field: "from", message: "is given beside cursor: send one" });
  const [version] = readCursor(cursor, orderOf(id), 1);
  if (!Number.isSafeInteger(version) || Number(version) < 1 || Number(version) > limits.versionMax) throw badCursor();
  return Number(version);
}

/** The payment's token is for the saga alone. */
function shown({ payment: _secret, ...data }: Record<string, unknown>): Record<string, unknown> {
  return data;
}

// Hooks run before the validator: params may be anything here, and are only compared.
function actsForItself(ctx: Ctx): void {
  if (!actsFor(ctx, ctx.params["customer"], [])) throw anotherCustomer();
}
function actsForItselfOrAsAdmin(ctx: Ctx): void {
  if (!actsFor(ctx, ctx.params["customer"])) throw anotherCustomer();
}
const anotherCustomer = (): Error => callErrors.FORBIDDEN({ field: "customer", message: "is another person" });

/**
 * Returns the cart of a refused order before the refusal is answered. After any other failure the command may be
 * repeated: then the carts ask for the outcome, after a while.
 */
async function returnsCart(this: Service, { params }: Ctx, error: Error): Promise<never> {
  const { id, fromCart } = params;
  if (fromCart === true && typeof id === "string" && isRefusal(error) && !NEVER_DECIDED.has(error.type))
    await typedCall(this.broker)("carts.settle", { orderId: id }).catch((failed: Error) => {
      this.logger.warn(`order ${id} was refused, its cart is returned later: ${failed.message}`);
    });
  throw error;
}
/** Refusals that come before the cart is taken. */
const NEVER_DECIDED: ReadonlySet<string> = new Set(["VALIDATION_ERROR", "FORBIDDEN"]);
