import { defineReactor } from "@valence/runtime/stream";

/**
 * Settles the claim on a cart once it is known whether the order stands. The cart was emptied before the order was
 * placed: see `cart-store.ts`.
 */
export const EmptyCart = defineReactor({
  name: "empty-cart",
  on: {
    "order.placed": async ({ data }, { call }) => {
      // A node of the previous release has only read the cart. Its lines of that moment are removed, as that release
      // does.
      if (data.fromCart && data.cartVersion === undefined)
        await call("carts.clear", { owner: data.customer, before: data.placedAt });
    },
    "order.confirmed": ({ stream }, { call }) => call("carts.settle", { orderId: stream, outcome: "kept" }),
    "order.rejected": ({ stream }, { call }) => call("carts.settle", { orderId: stream, outcome: "returned" }),
    "order.cancelled": ({ stream }, { call }) => call("carts.settle", { orderId: stream, outcome: "returned" }),
  },
});
