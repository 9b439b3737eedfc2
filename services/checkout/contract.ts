import { defineContract } from "@valence/runtime/contract";

/** The saga that completes an order. Its only actions are those of the Sagas mixin. */
export const contract = defineContract({ service: "checkout", actor: "checkout" });
declare global {
  interface Contracts {
    checkout: typeof contract;
  }
}
