// Errors of orders.
import { defineErrors } from "@valence/runtime/kernel";

export const orderErrors = defineErrors({
  ORDER_NOT_FOUND: { status: 404, says: "there is no such order", todo: "ask for your own orders: `GET /orders`" },

  // ---- placing
  ORDER_EXISTS: { status: 409, says: "this order was placed already", todo: "place another order under another id" },
  LINES_OR_CART: {
    status: 422,
    says: "give either lines or fromCart: true",
    todo: "send either `lines` or `fromCart`",
  },
  CART_EMPTY: { status: 422, says: "the cart is empty", todo: "put something into the cart first" },
  QUANTITY_TOO_LARGE: {
    status: 422,
    says: "the lines of one product come to more pieces than an order may have",
    todo: "order at most 1 000 pieces of a product; `errors[]` names the lines",
  },
  MIXED_CURRENCIES: {
    status: 422,
    says: "the products of an order are priced in more than one currency",
    todo: "place an order for each currency",
  },
  TOTAL_TOO_LARGE: { status: 422, says: "the order's total is beyond the limit", todo: "order less at a time" },
  PRICE_CHANGED: {
    status: 409,
    says: "the total is {amount} {currency} now, in minor units",
    todo: "show the customer `total`, which has what the order costs now, and place it again with that as `expectedTotal`",
  },

  // ---- its way
  ORDER_CANCELLED: { status: 409, says: "this order was cancelled", todo: "place a new order" },
  ORDER_REJECTED: {
    status: 409,
    says: "this order was rejected",
    todo: "place a new order; `reason` of this one says why",
  },
  ORDER_CONFIRMED: {
    status: 409,
    says: "this order is confirmed: it can no longer be withdrawn",
    todo: "ask for a refund once it has shipped",
  },
  ORDER_NOT_READY: {
    status: 409,
    says: "an order that is {status} cannot become {step}",
    todo: "wait for the step before this one",
  },

  // ---- money back
  LINE_NOT_FOUND: {
    status: 422,
    says: "the order has no product {productId}",
    todo: "refund lines of this order",
  },
});
