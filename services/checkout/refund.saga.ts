// Gives money back. The payment accepts the refund if so much was captured and not given back yet; then the provider
// pays, and the goods go back into stock if the refund says so.
import { defineSaga } from "@valence/runtime/saga";

export const Refund = defineSaga("refund", {
  startedBy: "order.refund_requested",
  otherwise: [
    "orders.failRefund",
    ({ event }, failure) => ({ id: event.stream, refundId: event.data.refundId, reason: failure.type }),
  ],
})
  .pivot("request", "payments.requestRefund", ({ event }) => ({
    id: event.stream,
    refundId: event.data.refundId,
    amount: event.data.amount.amount,
  }))
  .step("refund", "payments.refund", ({ event }) => ({ id: event.stream, refundId: event.data.refundId }))
  .each(
    "restock",
    ({ event, done }) => (done.refund.status === "refunded" ? event.data.items : []),
    "inventory.takeBack",
    ({ event }, { sku, quantity }) => ({ id: sku, orderId: event.stream, quantity }),
  )
  .each(
    "tell",
    ({ event, done }) => (done.refund.status === "refunded" ? [event.data.refundId] : []),
    "orders.markRefunded",
    ({ event }, refundId) => ({ id: event.stream, refundId }),
  )
  .each(
    "tellFailed",
    ({ event, done }) => (done.refund.status === "failed" ? [event.data.refundId] : []),
    "orders.failRefund",
    ({ event }, refundId) => ({ id: event.stream, refundId, reason: "REFUND_DECLINED" }),
  );
