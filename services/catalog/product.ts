import type { Static } from "typebox";
import type { Table } from "@valence/runtime/crud";
import type { Product as Schema } from "./contract.ts";

export type Product = Static<typeof Schema>;
/** A product before the catalog has given it an id and its times. */
export type NewProduct = Omit<Product, "id" | "createdAt" | "updatedAt">;

/** How a product lies in its table. The price spreads over amount and currency, so that it can be sorted by. */
export const products = {
  table: "products",
  fields: {
    id: "text",
    sku: "text",
    name: "text",
    description: "text",
    price: { amount: "integer", currency: "text" },
    category: "text",
    image: "text?",
    createdAt: "text",
    updatedAt: "text",
  },
  search: { fields: ["name", "sku", "description"], sorted: ["name"] },
  staleReads: true,
} as const satisfies Table;
