// Roles of the shop's people, and what each may do. Contracts name the permissions, this is the one place that gives them.
import { defineRoles } from "@valence/runtime/contract";

declare global {
  interface Roles {
    customer: true;
  }
}

export const roles = defineRoles(
  {
    admin: {
      says: "Runs the shop: sees all orders and accounts, changes catalog and stock, refunds, operates.",
      may: ["*"],
    },
    viewer: {
      says: "Looks on: sees operations, the audit, stock, payments and sales, without personal fields, and changes nothing.",
      may: ["operations:read", "audit:read", "stock:read", "sales:read", "payments:read"],
    },
    customer: {
      says: "Shops: has a cart, and places, reads and cancels orders of their own.",
      may: ["orders:write"],
    },
  },
  { everybody: ["carts:*", "orders:read"] },
);
