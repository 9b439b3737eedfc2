import { defineContract } from "@valence/runtime/contract";

/** Public events, for programs outside. Its only actions are those of the Outbounds mixin. */
export const contract = defineContract({ service: "integrations" });
declare global {
  interface Contracts {
    integrations: typeof contract;
  }
}
