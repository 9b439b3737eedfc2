import Type from "typebox";
import { defineContract } from "../../mixins/contract/index.ts";

const owner = Type.String({ format: "uuid" });
const productId = Type.String({ format: "uuid" });
/** RFC 3339 in UTC with milliseconds, as events have it: such moments compare as text. */
const moment = Type.String({ format: "date-time", pattern: "\\.\\d{3}Z$" });
const quantity = Type.Integer({ minimum: 1, maximum: 1_000 });
const Cart = Type.Object({
  items: Type.Array(Type.Object({ productId: Type.String(), quantity: Type.Integer() })),
  updatedAt: Type.Optional(Type.String()),
});

export const contract = defineContract({
  service: "carts",
  actions: {
    get: { params: { owner }, returns: Cart },
    put: { params: { owner, productId, quantity }, returns: Cart },
    removeItem: { params: { owner, productId }, returns: Cart },
    /** Empties it; with `before`, of what was last put at or before that moment. Safe to repeat. */
    clear: { params: { owner, before: Type.Optional(moment) }, returns: Cart },
  },
  refusals: ["CART_FULL", "PRODUCT_NOT_FOUND", "NOT_YOURS"],
});
declare global {
  interface Contracts {
    carts: typeof contract;
  }
}
