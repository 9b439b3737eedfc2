import { defineReactor } from "../../mixins/stream/index.ts";

/**
 * Empties the cart that became an order. Only of what lay in it then: a reactor may run late, and twice, and must not
 * take what the customer has put in since.
 */
export const EmptyCart = defineReactor({
  name: "empty-cart",
  on: {
    "order.placed": async ({ data }, { call }) => {
      if (data.fromCart) await call("carts.clear", { owner: data.customer, before: data.placedAt });
    },
  },
});
