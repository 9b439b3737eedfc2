import Type from "typebox";
import { defineOutbound } from "@valence/runtime/stream";

const Amount = Type.Object(
  { amount: Type.Integer({ minimum: 0 }), currency: Type.String({ pattern: "^[A-Z]{3}$" }) },
  { additionalProperties: false },
);
const Line = Type.Object(
  {
    productId: Type.String(),
    sku: Type.String(),
    name: Type.String(),
    quantity: Type.Integer({ minimum: 1 }),
    unitPrice: Amount,
  },
  { additionalProperties: false },
);

/**
 * An order that is paid and has left the house. Of the customer it has the id alone. The schema is written out here and shares
 * nothing with the inner contract: it changes when this event does, and not before.
 */
export const OrderCompleted = defineOutbound({
  event: "shop.order.completed",
  version: 1,
  topic: "public.orders",
  schema: {
    orderId: Type.String(),
    customerId: Type.String(),
    lines: Type.Array(Line),
    total: Amount,
    placedAt: Type.String({ format: "date-time" }),
    completedAt: Type.String({ format: "date-time" }),
  },
  on: {
    "order.shipped": async ({ stream, version, at }, { call }) => {
      // As it was at this event: read later, a refund or another release would make another event of it.
      const { state } = await call("orders.stateAt", { id: stream, version });
      const { customer, lines, total, placedAt } = state;
      return {
        orderId: stream,
        customerId: customer!,
        lines: lines.map(({ productId, sku, name, quantity, unitPrice }) => ({
          productId,
          sku,
          name,
          quantity,
          unitPrice: { amount: unitPrice.amount, currency: unitPrice.currency },
        })),
        total: { amount: total!.amount, currency: total!.currency },
        placedAt: placedAt!,
        completedAt: at,
      };
    },
  },
});
