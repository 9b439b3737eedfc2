// Version 2 of products and orders, beside version 1 and from the same actions. `docs/versions.md` lists what is renamed.
import type { Version } from "@valence/runtime/gateway";
import { orders } from "./orders.ts";
import { products } from "./products.ts";

/** The routes of version 1 that have a successor here end on the day of `sunset`; a client has a year. */
export const V2: Version<"v2"> = { name: "v2", deprecates: "2026-12-01", sunset: "2027-12-01" };

/** What is another in version 2, by the line of the route in version 1. */
export const successions = { ...products, ...orders };
