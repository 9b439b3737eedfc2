import Type from "typebox";
import { callErrors, Cursor, defineContract, ReadToken } from "@valence/runtime/contract";
import { projectionErrors } from "@valence/runtime/projection";
import { Money } from "../money.ts";
import "../roles.ts";

const Row = Type.Object(
  {
    id: Type.String(),
    version: Type.Integer(),
    customer: Type.String(),
    status: Type.String(),
    total: Money,
    items: Type.Integer(),
    reason: Type.Optional(Type.String()),
    placedAt: Type.String(),
    updatedAt: Type.String(),
  },
  { title: "OrderSummary" },
);
const STATUSES = ["placed", "stock_reserved", "paid", "confirmed", "shipped", "rejected", "cancelled"] as const;
const moment = Type.Optional(Type.String({ format: "date-time", maxLength: 40 }));
const page = Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 }));
const pageSize = Type.Optional(Type.Integer({ minimum: 1, maximum: 100 }));

export const contract = defineContract({
  service: "order-views",
  actions: {
    /** Orders of one customer, or of all, newest first; in a status, placed in a time. `after` is a read-your-writes token. */
    list: {
      params: {
        customer: Type.Optional(Type.String({ maxLength: 64 })),
        status: Type.Optional(Type.Enum([...STATUSES])),
        from: moment,
        to: moment,
        page,
        pageSize,
        cursor: Type.Optional(Cursor),
        after: Type.Optional(ReadToken),
      },
      returns: Type.Object({
        rows: Type.Array(Row),
        total: Type.Integer(),
        /** Present on a page that was asked for by number. */
        page: Type.Optional(Type.Integer()),
        pageSize: Type.Integer(),
        /** Where the next page begins; absent on the last. */
        nextCursor: Type.Optional(Type.String()),
      }),
    },
    /** A customer's totals: orders placed, orders shipped, and the money of confirmed orders by currency. */
    customer: {
      params: { customer: Type.String() },
      returns: Type.Object({
        customer: Type.String(),
        orders: Type.Integer(),
        shipped: Type.Integer(),
        spent: Type.Array(Money),
      }),
    },
    /** Orders confirmed and their revenue per minute and currency, newest first. */
    sales: {
      params: { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_440 })) },
      returns: Type.Object({
        rows: Type.Array(Type.Object({ minute: Type.String(), orders: Type.Integer(), revenue: Money })),
      }),
    },
  },
  refusals: {
    BAD_READ_TOKEN: projectionErrors.BAD_READ_TOKEN,
    NOT_CAUGHT_UP: projectionErrors.NOT_CAUGHT_UP,
    FORBIDDEN: callErrors.FORBIDDEN,
  },
  mayRefuse: {
    list: ["BAD_READ_TOKEN", "NOT_CAUGHT_UP"],
    customer: ["NOT_CAUGHT_UP", "FORBIDDEN"],
    sales: ["NOT_CAUGHT_UP"],
  },
  permissions: { list: "orders:read", sales: "sales:read" },
});
declare global {
  interface Contracts {
    "order-views": typeof contract;
  }
}
