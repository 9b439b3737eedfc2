// The order that `npx valence smoke` places.
import { defineEnvironment, matching } from "@valence/runtime/kernel";

export const ordersEnvironment = defineEnvironment("Orders", {
  SMOKE_PRODUCT: matching({
    pattern: /^[\w-]{1,64}$/,
    expected: "the id of a product",
    defaultSays: "the cheapest product",
    says: "the product that `npx valence smoke` orders one of",
  }),
  SMOKE_PAYMENT_TOKEN: matching({
    pattern: /^\w{1,200}$/,
    expected: "a token of the payment provider",
    default: "tok_ok",
    says: "the test card with which `npx valence smoke` pays; the default is the bundled provider's",
  }),
});
