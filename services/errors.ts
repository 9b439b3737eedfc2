// Errors that several services of the shop give, with the same meaning.
import { defineErrors } from "@valence/runtime/kernel";

export const shopErrors = defineErrors({
  PRODUCT_NOT_FOUND: {
    status: 404,
    inBody: 422,
    says: "there is no product {id}",
    todo: "order or ask for a product that the catalog has; of an order `errors[]` names every such line (`lines.2.productId`) or item of the cart (`items.2.productId`), and `missing` has the products' ids",
  },
  REFUND_EXISTS: {
    status: 409,
    says: "the refund is there already, for something else",
    todo: "choose another `refundId`",
  },
  REFUND_NOT_FOUND: { status: 404, says: "there is no such refund", todo: "ask for the order: it lists its refunds" },
  REFUND_TOO_LARGE: {
    status: 409,
    says: "more would be given back than is left of it",
    todo: "refund at most what is left, in money and in pieces",
  },
  TOO_MANY_REFUNDS: {
    status: 409,
    says: "this has as many refunds as it may have",
    todo: "refund the rest by hand, at the payment provider",
  },
});
