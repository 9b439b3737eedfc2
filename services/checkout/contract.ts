import { defineContract } from "@valence/runtime/contract";

/** The saga that sees an order through. It answers only what the Sagas mixin adds. */
export const contract = defineContract({ service: "checkout", actor: "checkout" });
declare global {
  interface Contracts {
    checkout: typeof contract;
  }
}
