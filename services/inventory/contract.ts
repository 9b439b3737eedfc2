import Type from "typebox";
import { ActorId, Cursor, defineContract } from "@valence/runtime/contract";
import { shopErrors } from "../errors.ts";
import { stockErrors } from "./errors.ts";
import type { Reservations } from "./reservations.ts";

const quantity = Type.Integer({ minimum: 1, maximum: 1_000_000 });
/** A correction, up or down. */
const signed = Type.Integer({ minimum: -1_000_000, maximum: 1_000_000 });
const reason = Type.String({ minLength: 1, maxLength: 500, pattern: "\\S" });
const count = Type.Integer({ minimum: 0 });
const orderId = Type.String({ minLength: 1, maxLength: 64 });

/** Open reservations, the quantity by order: a tree, which only `reservations.ts` reads. */
const reservations = Type.Unsafe<Reservations>(Type.Array(Type.Unknown()));

const Level = Type.Object({ sku: Type.String(), available: count, reserved: count }, { title: "StockLevel" });

/** One stock actor a SKU; its id is the SKU. received + adjusted = available + reserved + sold. */
export const contract = defineContract({
  service: "inventory",
  actor: "stock",
  state: {
    available: count,
    received: count,
    /** The sum of all corrections; absent without any. */
    adjusted: Type.Optional(Type.Integer()),
    sold: count,
    reservations,
  },
  commands: {
    /** Refused for a SKU that no product has. */
    receive: { quantity },
    /** Corrects what is available: a count, a loss, a return. Never below zero; reserved pieces stay. */
    adjust: { quantity: signed, reason },
    /** An order reserves a SKU once: a second request for the same quantity changes nothing. */
    reserve: { orderId, quantity },
    /** Gives a reservation back; nothing happens when there is none. */
    release: { orderId, quantity },
    /** Sells a reservation; nothing happens when there is none. */
    commit: { orderId, quantity },
    /** Takes sold pieces back; nothing happens when they were not sold (`wasSold: false`). Once for each command id. */
    takeBack: { orderId, quantity, wasSold: Type.Optional(Type.Boolean()) },
  },
  replies: { receive: { available: count }, adjust: { available: count } },
  events: {
    "stock.received": { quantity },
    "stock.adjusted": { quantity: signed, reason },
    "stock.reserved": { orderId, quantity },
    "stock.released": { orderId, quantity },
    "stock.sold": { orderId, quantity },
    "stock.returned": { orderId, quantity },
  },
  actions: {
    level: { params: { sku: ActorId }, returns: Level },
    /** The levels of these SKUs; those that were never in stock are left out. */
    levels: {
      params: { skus: Type.Array(ActorId, { minItems: 1, maxItems: 100, uniqueItems: true }) },
      returns: Type.Object({ rows: Type.Array(Level) }, { title: "StockLevels" }),
    },
    /** Every SKU that was ever in stock, in the order of the SKUs, including those of removed products. */
    list: {
      params: {
        page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
        pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
        cursor: Type.Optional(Cursor),
      },
      returns: Type.Object({
        rows: Type.Array(Level),
        total: Type.Integer(),
        /** Present on a page that was asked for by number. */
        page: Type.Optional(Type.Integer()),
        pageSize: Type.Integer(),
        /** Where the next page begins; absent on the last. */
        nextCursor: Type.Optional(Type.String()),
      }),
    },
  },
  refusals: { ...stockErrors, PRODUCT_NOT_FOUND: shopErrors.PRODUCT_NOT_FOUND },
  mayRefuse: {
    receive: ["PRODUCT_NOT_FOUND", "TOO_MUCH_STOCK"],
    adjust: ["PRODUCT_NOT_FOUND", "STOCK_NOT_FOUND", "BELOW_RESERVED", "NOTHING_TO_ADJUST", "TOO_MUCH_STOCK"],
    reserve: ["STOCK_NOT_FOUND", "ALREADY_RESERVED", "OUT_OF_STOCK"],
    release: [],
    commit: [],
    takeBack: ["NOT_SOLD"],
    level: ["STOCK_NOT_FOUND"],
    levels: [],
    list: [],
  },
  permissions: {
    receive: "stock:write",
    adjust: "stock:write",
    list: "stock:read",
    reserve: false,
    release: false,
    commit: false,
    takeBack: false,
  },
  callers: { checkout: ["reserve", "release", "commit", "takeBack"], catalog: ["get"], seed: ["receive"] },
});
declare global {
  interface Contracts {
    inventory: typeof contract;
  }
}
