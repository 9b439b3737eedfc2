import { defineContract } from "../../../mixins/contract/index.ts";

export const contract = defineContract({ service: "redemption" });
declare global {
  interface Contracts {
    redemption: typeof contract;
  }
}
