// Errors of the stock.
import { defineErrors } from "@valence/runtime/kernel";

export const stockErrors = defineErrors({
  STOCK_NOT_FOUND: {
    status: 404,
    says: "no stock of {sku}",
    todo: "book goods of this SKU first (`POST /inventory/<sku>/receive`)",
  },
  OUT_OF_STOCK: { status: 409, says: "{available} of {sku} are available", todo: "order fewer, or wait for new goods" },
  ALREADY_RESERVED: {
    status: 409,
    says: "order {orderId} has reserved {reserved}",
    todo: "release the order's reservation first",
  },
  TOO_MUCH_STOCK: { status: 422, says: "this would be more than a SKU can hold", todo: "check the quantity" },
  BELOW_RESERVED: {
    status: 409,
    says: "{available} of {sku} can be taken out, {reserved} are reserved",
    todo: "take out at most what is available: what is reserved stays",
  },
  NOTHING_TO_ADJUST: { status: 422, says: "a correction by 0 changes nothing", todo: "send a quantity other than 0" },
  NOT_SOLD: { status: 409, says: "only {sold} were sold", todo: "take back at most as many as were sold" },
});
