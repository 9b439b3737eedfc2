// One row an order: what its customer sees in the list.
import Type from "typebox";
import { defineProjection, type Table } from "@valence/runtime/projection";

const row = {
  id: Type.String(),
  version: Type.Integer(),
  customer: Type.String(),
  status: Type.String(),
  amount: Type.Integer(),
  currency: Type.String(),
  items: Type.Integer(),
  reason: Type.Optional(Type.String()),
  placedAt: Type.String(),
  updatedAt: Type.String(),
};
export type OrderRow = Type.Static<Type.TObject<typeof row>>;
type Event = { readonly stream: string; readonly version: number; readonly at: string };

async function change(orders: Table<OrderRow>, event: Event, changes: Partial<OrderRow>): Promise<void> {
  const order = await orders.find(event.stream);
  if (order) await orders.upsert({ ...order, ...changes, version: event.version, updatedAt: event.at });
}

export const OrderList = defineProjection({
  name: "order-list",
  version: 1,
  tables: { orders: row },
  // Newest first, of one customer or of all. The id breaks ties, so that a page can begin after a row.
  indexes: {
    orders: [
      ["customer", "placedAt", "id"],
      ["placedAt", "id"],
    ],
  },
  on: {
    "order.placed": ({ stream, version, at, data }, { orders }) =>
      orders.upsert({
        id: stream,
        version,
        customer: data.customer,
        status: "placed",
        amount: data.total.amount,
        currency: data.total.currency,
        items: data.lines.reduce((sum, line) => sum + line.quantity, 0),
        placedAt: data.placedAt,
        updatedAt: at,
      }),
    "order.stock_reserved": (event, { orders }) => change(orders, event, { status: "stock_reserved" }),
    "order.paid": (event, { orders }) => change(orders, event, { status: "paid" }),
    "order.confirmed": (event, { orders }) => change(orders, event, { status: "confirmed" }),
    "order.shipped": (event, { orders }) => change(orders, event, { status: "shipped" }),
    "order.rejected": (event, { orders }) => change(orders, event, { status: "rejected", reason: event.data.reason }),
    "order.cancelled": (event, { orders }) => change(orders, event, { status: "cancelled", reason: event.data.reason }),
  },
});
