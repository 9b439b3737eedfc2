import { afterAll, beforeAll, describe } from "@jest/globals";
import { newDatabases, type Databases } from "../../mixins/testing/databases.ts";
import { readEnvironment } from "@valence/runtime/kernel";
import { migrate, openDatabase, type Database } from "@valence/runtime/database/mixin";
import { cartStoreConformance } from "./cart-store.conformance.ts";
import { cartItems } from "./migrations/001-cart-items.ts";
import { cartClaims } from "./migrations/002-cart-claims.ts";
import { sqlCartStore } from "./sql-cart-store.ts";

let databases: Databases;
let database: Database;
beforeAll(async () => {
  databases = await newDatabases();
  database = await openDatabase(readEnvironment(databases.env).databaseOf("carts"));
  await migrate(database, "carts", [cartItems, cartClaims]);
});
afterAll(async () => {
  await database.close();
  await databases.remove();
});

describe("carts in SQL", () => cartStoreConformance(async () => sqlCartStore(database)));
