// Totals of each customer. Only the first event of an order names its customer: `orders` remembers it. Version 2: money
// by its currency; version 1 added cents to yen.
import Type from "typebox";
import { defineProjection } from "@valence/runtime/projection";

export const Customers = defineProjection({
  name: "customers",
  version: 2,
  tables: {
    orders: { id: Type.String(), customer: Type.String(), amount: Type.Integer(), currency: Type.String() },
    customers: {
      customer: Type.String(),
      orders: Type.Integer(),
      shipped: Type.Integer(),
      /** Minor units by currency. */
      spent: Type.Record(Type.String(), Type.Integer()),
    },
  },
  on: {
    "order.placed": async ({ stream, data: { customer, total } }, { orders, customers }) => {
      await orders.upsert({ id: stream, customer, ...total });
      const sum = (await customers.find(customer)) ?? { customer, orders: 0, shipped: 0, spent: {} };
      await customers.upsert({ ...sum, orders: sum.orders + 1 });
    },
    "order.confirmed": async ({ stream }, { orders, customers }) => {
      const order = await orders.find(stream);
      const sum = order && (await customers.find(order.customer));
      if (!sum) return;
      const { amount, currency } = order;
      await customers.upsert({ ...sum, spent: { ...sum.spent, [currency]: (sum.spent[currency] ?? 0) + amount } });
    },
    "order.shipped": async ({ stream }, { orders, customers }) => {
      const order = await orders.find(stream);
      const sum = order && (await customers.find(order.customer));
      if (sum) await customers.upsert({ ...sum, shipped: sum.shipped + 1 });
    },
  },
});
