import type { Static } from "typebox";
import type { Table } from "@valence/runtime/crud";
import type { Product as Schema } from "./contract.ts";

export type Product = Static<typeof Schema>;
/** A product before it has an id and times from the catalog. */
export type NewProduct = Omit<Product, "id" | "createdAt" | "updatedAt">;

/** A product as a row. The price has two columns, amount and currency, so that products can be sorted by it. */
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
