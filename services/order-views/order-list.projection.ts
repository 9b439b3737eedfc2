// One row an order: what its customer sees in the list. Version 2 also has how many orders there are in each status, for metrics:
// to count them would read every row.
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
const statusRow = { status: Type.String(), orders: Type.Integer() };
export type OrderRow = Type.Static<Type.TObject<typeof row>>;
export type StatusRow = Type.Static<Type.TObject<typeof statusRow>>;
interface Tables {
  readonly orders: Table<OrderRow>;
  readonly statuses: Table<StatusRow>;
}
type Event = { readonly stream: string; readonly version: number; readonly at: string };

async function change(
  { orders, statuses }: Tables,
  event: Event,
  changes: Partial<OrderRow> & { status: string },
): Promise<void> {
  const order = await orders.find(event.stream);
  if (!order) return;
  await orders.upsert({ ...order, ...changes, version: event.version, updatedAt: event.at });
  await count(statuses, order.status, -1);
  await count(statuses, changes.status, 1);
}

async function count(statuses: Table<StatusRow>, status: string, by: number): Promise<void> {
  const known = (await statuses.find(status)) ?? { status, orders: 0 };
  await statuses.upsert({ status, orders: known.orders + by });
}

export const OrderList = defineProjection({
  name: "order-list",
  version: 2,
  tables: { orders: row, statuses: statusRow },
  // Newest first, of one customer or of all. The id breaks ties, so that a page can begin after a row.
  indexes: {
    orders: [
      ["customer", "placedAt", "id"],
      ["placedAt", "id"],
    ],
  },
  on: {
    "order.placed": async ({ stream, version, at, data }, { orders, statuses }) => {
      await orders.upsert({
        id: stream,
        version,
        customer: data.customer,
        status: "placed",
        amount: data.total.amount,
        currency: data.total.currency,
        items: data.lines.reduce((sum, line) => sum + line.quantity, 0),
        placedAt: data.placedAt,
        updatedAt: at,
      });
      await count(statuses, "placed", 1);
    },
    "order.stock_reserved": (event, tables) => change(tables, event, { status: "stock_reserved" }),
    "order.paid": (event, tables) => change(tables, event, { status: "paid" }),
    "order.confirmed": (event, tables) => change(tables, event, { status: "confirmed" }),
    "order.shipped": (event, tables) => change(tables, event, { status: "shipped" }),
    "order.rejected": (event, tables) => change(tables, event, { status: "rejected", reason: event.data.reason }),
    "order.cancelled": (event, tables) => change(tables, event, { status: "cancelled", reason: event.data.reason }),
  },
});
