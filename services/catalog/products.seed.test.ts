import { expect, test } from "@jest/globals";
import { compileSchema } from "@valence/runtime/contract";
import { contract } from "./contract.ts";
import { seedProducts } from "./products.seed.ts";

test("the seed is 120 products in 8 categories that the catalog accepts", () => {
  expect(seedProducts).toHaveLength(120);
  expect(new Set(seedProducts.map(({ category }) => category)).size).toBe(8);
  const { products } = contract.actions.seed.params;
  expect(compileSchema(products)(seedProducts)).toBe(true);
});

test("no SKU and no name comes twice, and a SKU keeps its place", () => {
  expect(new Set(seedProducts.map(({ sku }) => sku)).size).toBe(120);
  expect(new Set(seedProducts.map(({ name }) => name)).size).toBe(120);
  expect(seedProducts.find(({ sku }) => sku === "MUG-001")?.name).toBe("Harbour Mug, Oat");
  expect(seedProducts.every(({ price }) => price.amount >= 400)).toBe(true);
});
