import { defineContract } from "@valence/runtime/contract";

export const contract = defineContract({ service: "redemption" });
declare global {
  interface Contracts {
    redemption: typeof contract;
  }
}
