// Lists of the shop for those who run it; the operations themselves are the runtime's.
import { omit } from "@valence/runtime/contract";
import { route } from "@valence/runtime/gateway";
import { contract } from "../../order-views/contract.ts";

const access = ["admin", "viewer"] as const;
const { list, sales } = contract.actions;

export const operators = [
  route("GET /ops/all-orders", "order-views.list", {
    summary: "Orders of all customers, or of one, newest first; in a status, placed in a time",
    access,
    query: omit(list.params, "after"),
    list: "rows",
    params: ({ query }) => query,
  }),
  route("GET /ops/sales", "order-views.sales", {
    summary: "Orders confirmed and their revenue per minute and currency, newest first",
    access,
    query: sales.params,
    list: "rows",
    params: ({ query }) => query,
  }),
];
