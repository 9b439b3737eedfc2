import { defineRoles } from "@valence/runtime/contract";

declare global {
  interface Roles {
    customer: true;
  }
}

export const roles = defineRoles({
  admin: "Runs the shop: sees all orders and accounts, changes catalog and stock, refunds, operates.",
  customer: "Shops: has a cart, and places, reads and cancels orders of their own.",
});
