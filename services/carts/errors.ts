// Errors of carts.
import { defineErrors } from "@valence/runtime/kernel";

export const cartErrors = defineErrors({
  CART_FULL: {
    status: 409,
    says: "a cart holds {lines} different products",
    todo: "take a product out first, or place the order",
  },
  NOT_YOURS: { status: 403, says: "this cart belongs to someone else", todo: "ask for your own cart: `GET /cart`" },
});
