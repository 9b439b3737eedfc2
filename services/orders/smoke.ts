// What a roll-out tries of the shop as a whole: an order, through stock and payment.
import { defineSmoke } from "@valence/runtime/operations";
import { ordersEnvironment } from "./environment.ts";

interface Order {
  readonly id: string;
  readonly status: string;
}
const shippingAddress = { name: "Smoke test", line1: "1 Main St", city: "London", postalCode: "N1 9GU", country: "GB" };
const CHEAPEST = "/api/v1/products?sort=price&pageSize=1";

export const smoke = defineSmoke([
  {
    says: "an order is placed, paid and confirmed",
    needsAccount: true,
    async run(visitor) {
      const { SMOKE_PRODUCT, SMOKE_PAYMENT_TOKEN: token } = ordersEnvironment.of(visitor.environment);
      const productId = SMOKE_PRODUCT ?? (await visitor.get<{ rows: { id: string }[] }>(CHEAPEST)).rows[0]?.id;
      const { id } = await visitor.post<Order>("/api/v1/orders", {
        lines: [{ productId, quantity: 1 }],
        shippingAddress,
        payment: { method: "card", token },
      });
      // Shipping is a carrier's work, and may take days.
      const { status } = await visitor.until(`order ${id} is confirmed`, async () => {
        const order = await visitor.get<Order>(`/api/v1/orders/${id}`);
        return ["placed", "stock_reserved", "paid"].includes(order.status) ? undefined : order;
      });
      if (!["confirmed", "shipped"].includes(status)) throw new Error(`order ${id} is ${status}`);
      return `order ${id} is ${status}`;
    },
  },
]);
