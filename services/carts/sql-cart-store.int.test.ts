import { afterAll, beforeAll, describe } from "@jest/globals";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { locationOf } from "@valence/runtime/database";
import { readEnvironment } from "@valence/runtime/kernel";
import { migrate, openDatabase } from "@valence/runtime/database/mixin";
import type { Database } from "@valence/runtime/database";
import { cartStoreConformance } from "./cart-store.conformance.ts";
import { cartItems } from "./migrations/001-cart-items.ts";
import { cartClaims } from "./migrations/002-cart-claims.ts";
import { sqlCartStore } from "./sql-cart-store.ts";

let databases: Databases;
let database: Database;
beforeAll(async () => {
  databases = await newDatabases();
  database = await openDatabase(locationOf(readEnvironment(databases.env), "carts"));
  await migrate(database, "carts", [cartItems, cartClaims]);
});
afterAll(async () => {
  await database.close();
  await databases.remove();
});

describe("carts in SQL", () => cartStoreConformance(async () => sqlCartStore(database)));
