import { defineRoles } from "../mixins/contract/index.ts";

declare global {
  interface Roles {
    customer: true;
  }
}

/** The roles of the shop's people, besides the runtime's `admin`. */
export const roles = defineRoles({
  customer: "Shops: has a cart, and places, reads and cancels orders of their own.",
});
