// Orders and revenue per minute. A sale is an order that was confirmed, in the minute in which it was.
import Type from "typebox";
import { defineProjection } from "../../mixins/projection/index.ts";

export const Sales = defineProjection({
  name: "sales",
  version: 1,
  tables: {
    open: { id: Type.String(), amount: Type.Integer() },
    minutes: { minute: Type.String(), orders: Type.Integer(), amount: Type.Integer() },
  },
  on: {
    "order.placed": ({ stream, data }, { open }) => open.upsert({ id: stream, amount: data.total.amount }),
    "order.rejected": ({ stream }, { open }) => open.remove(stream),
    "order.cancelled": ({ stream }, { open }) => open.remove(stream),
    "order.confirmed": async ({ stream, at }, { open, minutes }) => {
      const order = await open.find(stream);
      if (!order) return;
      const minute = `${at.slice(0, 16)}:00.000Z`;
      const sum = (await minutes.find(minute)) ?? { minute, orders: 0, amount: 0 };
      await minutes.upsert({ minute, orders: sum.orders + 1, amount: sum.amount + order.amount });
      await open.remove(stream);
    },
  },
});
