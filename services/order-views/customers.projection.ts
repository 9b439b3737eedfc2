// How much each customer has ordered. Only the first event of an order names its customer: `orders` remembers it.
import Type from "typebox";
import { defineProjection } from "../../mixins/projection/index.ts";

export const Customers = defineProjection({
  name: "customers",
  version: 1,
  tables: {
    orders: { id: Type.String(), customer: Type.String(), amount: Type.Integer() },
    customers: { customer: Type.String(), orders: Type.Integer(), shipped: Type.Integer(), spent: Type.Integer() },
  },
  on: {
    "order.placed": async ({ stream, data: { customer, total } }, { orders, customers }) => {
      await orders.upsert({ id: stream, customer, amount: total.amount });
      const sum = (await customers.find(customer)) ?? { customer, orders: 0, shipped: 0, spent: 0 };
      await customers.upsert({ ...sum, orders: sum.orders + 1 });
    },
    "order.confirmed": async ({ stream }, { orders, customers }) => {
      const order = await orders.find(stream);
      const sum = order && (await customers.find(order.customer));
      if (sum) await customers.upsert({ ...sum, spent: sum.spent + order.amount });
    },
    "order.shipped": async ({ stream }, { orders, customers }) => {
      const order = await orders.find(stream);
      const sum = order && (await customers.find(order.customer));
      if (sum) await customers.upsert({ ...sum, shipped: sum.shipped + 1 });
    },
  },
});
