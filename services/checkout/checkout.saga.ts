// Completes an order: reserve its stock, authorize its payment, confirm; then capture, sell the stock, ship. Before the
// confirmation every step can be undone, and is when the order was cancelled or cannot be paid. After it the saga only
// goes forward, unless an operator says otherwise: then money, stock and order go back, until the goods have left.
import { minutes, seconds } from "@valence/runtime/kernel";
import { defineSaga } from "@valence/runtime/saga";

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
    { undo: ["payments.void", ({ sent }) => ({ id: sent.id, amount: sent.amount })], timeoutMs: seconds(30) },
  )
  // A step of its own, and no new version of the saga: a node of the previous release confirms an order whose payment
  // is pending, and its capture waits. Usually there is nothing to wait for. The payment has a deadline of its own;
  // this time-out is only longer than any of them.
  .each(
    "settle",
    ({ event, done }) => (isOpen(done.authorize.status) ? [event.stream] : []),
    "payments.settle",
    (_scope, id) => ({ id }),
    { timeoutMs: minutes(43_200) },
  )
  .step("markPaid", "orders.markPaid", ({ event, done }) => ({
    id: event.stream,
    paymentId: done.authorize.paymentId,
  }))
  .pivot("confirm", "orders.confirm", ({ event }) => ({ id: event.stream }), { undo: "orders.withdraw" })
  .step("capture", "payments.capture", ({ event }) => ({ id: event.stream }), { undo: "payments.giveBack" })
  .each(
    "commit",
    ({ event }) => itemsOf(event.data.lines),
    "inventory.commit",
    ({ event }, { sku, quantity }) => ({ id: sku, orderId: event.stream, quantity }),
    // Stock that was not sold is still reserved, and is released.
    { undo: ["inventory.takeBack", ({ sent, done }) => ({ ...sent, wasSold: done.commit !== undefined })] },
  )
  .step("ship", "shipping.create", ({ event }) => ({
    id: event.stream,
    address: event.data.shippingAddress,
    items: itemsOf(event.data.lines),
  }));

/** Less than was ordered is in stock, or the SKU never was. */
const isShortage = (type: string): boolean => type === "OUT_OF_STOCK" || type === "STOCK_NOT_FOUND";
/** Pending, or held because the provider refuses our requests. */
const isOpen = (status: string): boolean => status === "pending" || status === "requested";

/** Lines with the same SKU are one item: an order reserves a SKU once. */
export function itemsOf(lines: readonly Item[]): Item[] {
  const merged = new Map<string, number>();
  for (const { sku, quantity } of lines) merged.set(sku, (merged.get(sku) ?? 0) + quantity);
  return [...merged].map(([sku, quantity]) => ({ sku, quantity }));
}
