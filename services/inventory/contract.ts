import Type from "typebox";
import { ActorId, defineContract } from "../../mixins/contract/index.ts";
import type { Reservations } from "./reservations.ts";

const quantity = Type.Integer({ minimum: 1, maximum: 1_000_000 });
const count = Type.Integer({ minimum: 0 });
const orderId = Type.String({ minLength: 1, maxLength: 64 });

/** Open reservations, each an order's quantity: a tree, which only `reservations.ts` reads. */
const reservations = Type.Unsafe<Reservations>(Type.Array(Type.Unknown()));

/** One stock actor a SKU; its id is the SKU. received = available + reserved + sold. */
export const contract = defineContract({
  service: "inventory",
  actor: "stock",
  state: { available: count, received: count, sold: count, reservations },
  commands: {
    receive: { quantity },
    /** An order reserves a SKU once: asked again for the same quantity, nothing happens. */
    reserve: { orderId, quantity },
    /** Gives a reservation back; nothing happens when there is none. */
    release: { orderId, quantity },
    /** The reservation leaves the house; nothing happens when there is none. */
    commit: { orderId, quantity },
    /** What was sold comes back; nothing happens when it was not (`wasSold: false`). Once a command id. */
    takeBack: { orderId, quantity, wasSold: Type.Optional(Type.Boolean()) },
  },
  replies: { receive: { available: count } },
  events: {
    "stock.received": { quantity },
    "stock.reserved": { orderId, quantity },
    "stock.released": { orderId, quantity },
    "stock.sold": { orderId, quantity },
    "stock.returned": { orderId, quantity },
  },
  actions: {
    level: {
      params: { sku: ActorId },
      returns: Type.Object({ sku: Type.String(), available: count, reserved: count }),
    },
  },
  refusals: ["OUT_OF_STOCK", "STOCK_NOT_FOUND", "ALREADY_RESERVED", "TOO_MUCH_STOCK", "NOT_SOLD"],
  roles: { receive: ["admin"], reserve: [], release: [], commit: [], takeBack: [] },
});
declare global {
  interface Contracts {
    inventory: typeof contract;
  }
}
