// Sees an order through: reserve its stock, authorize its payment, confirm; then capture, sell the stock, ship. Before
// the confirmation everything can be undone, and an order that was cancelled or cannot be paid is; after it, the saga
// only goes forward.
import { seconds } from "../../mixins/kernel/index.ts";
import { defineSaga } from "../../mixins/saga/index.ts";

interface Item {
  readonly sku: string;
  readonly quantity: number;
}

export const Checkout = defineSaga("checkout", {
  startedBy: "order.placed",
  otherwise: [
    "orders.rejectFor",
    ({ event }, { type, refused }) => ({
      id: event.stream,
      reason: type,
      outOfStock: refused.filter(call => isShortage(call.type)).map(({ params }) => params.id),
    }),
  ],
})
  .each(
    "reserve",
    ({ event }) => itemsOf(event.data.lines),
    "inventory.reserve",
    ({ event }, { sku, quantity }) => ({ id: sku, orderId: event.stream, quantity }),
    { undo: "inventory.release" },
  )
  .step("markReserved", "orders.markReserved", ({ event }) => ({ id: event.stream }))
  .step(
    "authorize",
    "payments.authorize",
    ({ event }) => ({ id: event.stream, amount: event.data.total, token: event.data.payment.token }),
    { undo: ["payments.void", ({ sent }) => ({ id: sent.id })], timeoutMs: seconds(30) },
  )
  .step("markPaid", "orders.markPaid", ({ event, done }) => ({
    id: event.stream,
    paymentId: done.authorize.paymentId,
  }))
  .pivot("confirm", "orders.confirm", ({ event }) => ({ id: event.stream }))
  .step("capture", "payments.capture", ({ event }) => ({ id: event.stream }))
  .each(
    "commit",
    ({ event }) => itemsOf(event.data.lines),
    "inventory.commit",
    ({ event }, { sku, quantity }) => ({ id: sku, orderId: event.stream, quantity }),
  )
  .step("ship", "shipping.create", ({ event }) => ({
    id: event.stream,
    address: event.data.shippingAddress,
    items: itemsOf(event.data.lines),
  }));

/** Less than was ordered, or none ever. */
const isShortage = (type: string): boolean => type === "OUT_OF_STOCK" || type === "STOCK_NOT_FOUND";

/** Lines with the same SKU are one item: an order reserves a SKU once. */
export function itemsOf(lines: readonly Item[]): Item[] {
  const merged = new Map<string, number>();
  for (const { sku, quantity } of lines) merged.set(sku, (merged.get(sku) ?? 0) + quantity);
  return [...merged].map(([sku, quantity]) => ({ sku, quantity }));
}
