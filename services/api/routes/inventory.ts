import Type from "typebox";
import { route } from "@valence/runtime/gateway";
import { contract } from "../../inventory/contract.ts";

const { list, level } = contract.actions;
const { receive, adjust } = contract.commands;

/** A change of the stock actor has this tag by itself. */
const stockTag = (sku: string): string => `${contract.actor}.${sku}`;
const invalidates = (_result: unknown, { path }: { path: { sku: string } }) => [stockTag(path.sku)];

export const inventory = [
  route("GET /inventory", "inventory.list", {
    priority: "bulk",
    summary: "The stock of every SKU, sorted by SKU",
    access: ["admin", "viewer"],
    query: list.params,
    list: "rows",
    params: ({ query }) => query,
  }),
  route("GET /stock", "inventory.levels", {
    summary: "How much of several SKUs is available and reserved: `?sku=MUG-001,MUG-002`, 100 at most",
    access: "public",
    query: { sku: Type.String({ minLength: 1, maxLength: 6_500, pattern: "^[^,]+(,[^,]+)*$" }) },
    cache: {
      maxAge: 0,
      sMaxAge: 2,
      staleWhileRevalidate: 5,
      tags: ({ rows }) => [...rows.map(({ sku }) => stockTag(sku)), contract.service],
    },
    params: ({ query: { sku } }) => ({ skus: [...new Set(sku.split(","))] }),
  }),
  route("GET /inventory/:sku", "inventory.level", {
    summary: "How much of a SKU is available and reserved",
    access: "public",
    path: level.params,
    // A browser asks each time: stock changes with every order.
    cache: { maxAge: 0, sMaxAge: 2, staleWhileRevalidate: 5, tags: ({ sku }) => [stockTag(sku), contract.service] },
    params: ({ path }) => path,
  }),
  route("POST /inventory/:sku/receive", "inventory.receive", {
    summary: "Book goods that came in",
    access: "admin",
    path: level.params,
    body: receive,
    invalidates,
    params: ({ path, body }) => ({ ...body, id: path.sku }),
    idempotent: true,
  }),
  route("POST /inventory/:sku/adjust", "inventory.adjust", {
    summary: "Correct the available stock, up or down; reserved pieces stay",
    access: "admin",
    path: level.params,
    body: adjust,
    invalidates,
    params: ({ path, body }) => ({ ...body, id: path.sku }),
    idempotent: true,
  }),
];
