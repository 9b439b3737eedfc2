// Errors of the catalog.
import { defineErrors } from "@valence/runtime/kernel";

export const catalogErrors = defineErrors({
  SKU_TAKEN: { status: 409, says: "there is another product with the SKU {sku}", todo: "choose another SKU" },
  SKU_IN_STOCK: {
    status: 409,
    says: "{available} of {sku} are in stock and {reserved} reserved: adjust the stock to 0 first",
    todo: "adjust the SKU's stock to 0 first (`POST /inventory/<sku>/adjust`): it can be neither given up nor taken",
  },
});
