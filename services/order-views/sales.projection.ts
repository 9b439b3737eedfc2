// Orders and revenue per minute and currency. A sale is a confirmed order, in the minute of its confirmation. Version
// 2: version 1 added amounts of any currency.
import Type from "typebox";
import { defineProjection } from "@valence/runtime/projection";

/** `id` is minute and currency, so that it sorts by time. */
const sale = {
  id: Type.String(),
  minute: Type.String(),
  currency: Type.String(),
  orders: Type.Integer(),
  amount: Type.Integer(),
};
export type SaleRow = Type.Static<Type.TObject<typeof sale>>;

export const Sales = defineProjection({
  name: "sales",
  version: 2,
  tables: {
    open: { id: Type.String(), amount: Type.Integer(), currency: Type.String() },
    minutes: sale,
  },
  on: {
    "order.placed": ({ stream, data }, { open }) => open.upsert({ id: stream, ...data.total }),
    "order.rejected": ({ stream }, { open }) => open.remove(stream),
    "order.cancelled": ({ stream }, { open }) => open.remove(stream),
    "order.confirmed": async ({ stream, at }, { open, minutes }) => {
      const order = await open.find(stream);
      if (!order) return;
      const minute = `${at.slice(0, 16)}:00.000Z`;
      const { amount, currency } = order;
      const id = `${minute} ${currency}`;
      const sum = (await minutes.find(id)) ?? { id, minute, currency, orders: 0, amount: 0 };
      await minutes.upsert({ ...sum, orders: sum.orders + 1, amount: sum.amount + amount });
      await open.remove(stream);
    },
  },
});
