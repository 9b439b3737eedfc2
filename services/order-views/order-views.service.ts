// The read models of orders: the list, the totals of a customer, and sales per minute. Customers see their own orders, administrators all.
import type { Knex } from "knex";
import {
  badCursor,
  callErrors,
  cursorOf,
  defineService,
  oneOfPageAndCursor,
  readCursor,
  actsFor,
  seesAll,
} from "@valence/runtime/contract";
import { rfc3339 } from "@valence/runtime/kernel";
import { Projections } from "@valence/runtime/projection/mixin";
import { contract } from "./contract.ts";
import { Customers } from "./customers.projection.ts";
import { measureOrders } from "./measure-orders.ts";
import { OrderList, type OrderRow } from "./order-list.projection.ts";
import { Sales, type SaleRow } from "./sales.projection.ts";

const PAGE_SIZE = 20;
/** Newest first. */
const ORDER = "-placedAt,-id";
const SALES_LIMIT = 60;

export default defineService(contract, {
  mixins: [Projections([OrderList, Customers, Sales])],
  async started() {
    measureOrders(this.broker, async () => this.projection("order-list").table("statuses"));
  },
  actions: {
    list: {
      repeatable: true,
      async handler(ctx) {
        oneOfPageAndCursor(ctx.params);
        const { page = 1, pageSize = PAGE_SIZE, after, cursor, status, from: since, to: until } = ctx.params;
        const seen = cursor === undefined ? undefined : placeOf(cursor);
        // People see their own orders, administrators and those who look on all.
        const customer = seesAll(ctx, ["admin", "viewer"]) ? ctx.params.customer : ctx.meta.user!.id;
        const orderList = this.projection("order-list");
        const from = after === undefined ? undefined : await orderList.waitFor(after);
        const matching = () => {
          const query = orderList.table("orders", from);
          if (customer !== undefined) void query.where({ customer });
          if (status !== undefined) void query.where({ status });
          // As the rows have it: in UTC, with milliseconds.
          if (since !== undefined) void query.where("placedAt", ">=", rfc3339(Date.parse(since)));
          if (until !== undefined) void query.where("placedAt", "<", rfc3339(Date.parse(until)));
          return query;
        };
        const [counted, found] = await Promise.all([
          matching().count<{ n: number | string }[]>({ n: "*" }),
          following(matching(), seen)
            .orderBy([
              { column: "placedAt", order: "desc" },
              { column: "id", order: "desc" },
            ])
            .offset((page - 1) * pageSize)
            .limit(pageSize + 1),
        ]);
        const rows: OrderRow[] = found.slice(0, pageSize);
        const last = found.length > pageSize ? rows.at(-1) : undefined;
        return {
          rows: rows.map(toRow),
          total: Number(counted[0]!.n),
          ...(cursor === undefined && { page }),
          pageSize,
          ...(last && { nextCursor: cursorOf(ORDER, [last.placedAt, last.id]) }),
        };
      },
    },

    async customer(ctx) {
      const { customer } = ctx.params;
      if (!actsFor(ctx, customer)) throw callErrors.FORBIDDEN({ message: "these are another customer's orders" });
      const sum = await this.projection("customers").table("customers").where({ customer }).first();
      const { orders = 0, shipped = 0, spent = "{}" } = sum ?? {};
      const byCurrency = Object.entries(JSON.parse(spent) as Record<string, number>);
      byCurrency.sort(([a], [b]) => (a < b ? -1 : 1));
      return { customer, orders, shipped, spent: byCurrency.map(([currency, amount]) => ({ amount, currency })) };
    },

    async sales(ctx) {
      const { limit = SALES_LIMIT } = ctx.params;
      const rows = await this.projection("sales").table("minutes").orderBy("id", "desc").limit(limit);
      return { rows: rows.map(toSale) };
    },
  },
});

interface Place {
  readonly placedAt: string;
  readonly id: string;
}
function placeOf(cursor: string): Place {
  const [placedAt, id] = readCursor(cursor, ORDER, 2);
  if (typeof placedAt !== "string" || typeof id !== "string") throw badCursor();
  return { placedAt, id };
}

/** Only orders after a row of the list. The first condition follows from the others, and lets an index start there. */
function following(orders: Knex.QueryBuilder, seen: Place | undefined): Knex.QueryBuilder {
  if (!seen) return orders;
  const { placedAt, id } = seen;
  return orders.where("placedAt", "<=", placedAt).where(any => {
    void any.where("placedAt", "<", placedAt).orWhere("id", "<", id);
  });
}

function toRow({ amount, currency, reason, ...row }: Omit<OrderRow, "reason"> & { reason?: string | null }) {
  return { ...row, total: { amount, currency }, ...(reason && { reason }) };
}

const toSale = ({ minute, orders, amount, currency }: SaleRow) => ({ minute, orders, revenue: { amount, currency } });
