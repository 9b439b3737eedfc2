import Type from "typebox";
import { ActorId, callErrors, Conditions, defineContract } from "@valence/runtime/contract";
import { shopErrors } from "../errors.ts";
import { cartErrors } from "./errors.ts";
import "../roles.ts";

const owner = Type.String({ format: "uuid" });
const productId = Type.String({ format: "uuid" });
/** RFC 3339 in UTC with milliseconds, as events have it: such moments compare as text. */
const moment = Type.String({ format: "date-time", pattern: "\\.\\d{3}Z$" });
const quantity = Type.Integer({ minimum: 1, maximum: 1_000 });
const conditions = Type.Optional(Conditions);
const items = Type.Array(Type.Object({ productId: Type.String(), quantity: Type.Integer() }, { title: "CartItem" }));
/** Grows with every change of the cart. Nodes of the previous release do not send it. */
const version = Type.Integer({ minimum: 0 });
const Cart = Type.Object(
  { items, updatedAt: Type.Optional(Type.String()), version: Type.Optional(version) },
  { title: "Cart" },
);

export const contract = defineContract({
  service: "carts",
  actions: {
    get: { params: { owner }, returns: Cart },
    put: { params: { owner, productId, quantity, if: conditions }, returns: Cart },
    removeItem: { params: { owner, productId, if: conditions }, returns: Cart },
    /**
     * Empties the cart. Safe to repeat. With `before`, lines that were put in after that moment stay: nodes of the
     * previous release empty the cart of an order so, and we do the same for orders that they have placed.
     */
    clear: { params: { owner, before: Type.Optional(moment), if: conditions }, returns: Cart },
    /**
     * Takes the whole cart for an order, while the order's command prepares: no other order gets these lines. Safe to
     * repeat. Answers no lines when the cart is empty, or another command of this order has taken it.
     */
    take: {
      params: { owner, orderId: ActorId, commandId: Type.String({ minLength: 1, maxLength: 256 }) },
      returns: Type.Object({ items, version }),
    },
    /**
     * Ends an order's claim: kept for good, or returned to the cart. Without an outcome the order is asked. Safe to
     * repeat; nothing happens for an order that was not taken from a cart.
     */
    settle: {
      params: { orderId: ActorId, outcome: Type.Optional(Type.Enum(["kept", "returned"])) },
      returns: Type.Object({}),
    },
  },
  refusals: {
    ...cartErrors,
    PRODUCT_NOT_FOUND: shopErrors.PRODUCT_NOT_FOUND,
    PRECONDITION_FAILED: callErrors.PRECONDITION_FAILED,
  },
  mayRefuse: {
    get: ["NOT_YOURS"],
    put: ["NOT_YOURS", "PRODUCT_NOT_FOUND", "CART_FULL", "PRECONDITION_FAILED"],
    removeItem: ["NOT_YOURS", "PRECONDITION_FAILED"],
    clear: ["NOT_YOURS", "PRECONDITION_FAILED"],
    take: [],
    settle: [],
  },
  // The last two are for other services only.
  permissions: {
    get: "carts:read",
    put: "carts:write",
    removeItem: "carts:write",
    clear: "carts:write",
    take: false,
    settle: false,
  },
  callers: { orders: ["take", "settle"] },
});
declare global {
  interface Contracts {
    carts: typeof contract;
  }
}
