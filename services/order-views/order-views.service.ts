import { Refusal } from "../../mixins/kernel/index.ts";
import { defineService, type User } from "../../mixins/contract/index.ts";
import { Projections } from "../../mixins/projection/mixin.ts";
import { contract } from "./contract.ts";
import { Customers } from "./customers.projection.ts";
import { OrderList, type OrderRow } from "./order-list.projection.ts";
import { Sales, type SaleRow } from "./sales.projection.ts";

/** People see their own orders, administrators all; a call between services carries no user. */
const seesAll = (user: User | undefined): boolean => user === undefined || user.roles.includes("admin");

const PAGE_SIZE = 20;
const SALES_LIMIT = 60;

export default defineService(contract, {
  mixins: [Projections([OrderList, Customers, Sales])],
  actions: {
    list: {
      repeatable: true,
      async handler(ctx) {
        const { page = 1, pageSize = PAGE_SIZE, after } = ctx.params;
        const { user } = ctx.meta;
        const customer = seesAll(user) ? ctx.params.customer : user!.id;
        const orderList = this.projection("order-list");
        const from = after === undefined ? undefined : await orderList.waitFor(after);
        const matching = () => {
          const query = orderList.table("orders", from);
          return customer === undefined ? query : query.where({ customer });
        };
        const [counted, rows] = await Promise.all([
          matching().count({ n: "*" }),
          matching()
            .orderBy([
              { column: "placedAt", order: "desc" },
              { column: "id", order: "desc" },
            ])
            .offset((page - 1) * pageSize)
            .limit(pageSize),
        ]);
        return { rows: rows.map(toRow), total: Number(counted[0].n), page, pageSize };
      },
    },

    async customer(ctx) {
      const { customer } = ctx.params;
      const { user } = ctx.meta;
      if (!seesAll(user) && user!.id !== customer)
        throw new Refusal("FORBIDDEN", { status: 403, message: "these are another customer's orders" });
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

function toRow({ amount, currency, reason, ...row }: Omit<OrderRow, "reason"> & { reason?: string | null }) {
  return { ...row, total: { amount, currency }, ...(reason && { reason }) };
}

const toSale = ({ minute, orders, amount, currency }: SaleRow) => ({ minute, orders, revenue: { amount, currency } });
