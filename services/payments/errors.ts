// Errors of payments, and of the provider that moves the money.
import { defineErrors } from "@valence/runtime/kernel";

export const paymentErrors = defineErrors({
  PAYMENT_NOT_FOUND: {
    status: 404,
    says: "there is no payment for this order",
    todo: "ask for an order that was paid for",
  },
  PAYMENT_EXISTS: {
    status: 409,
    says: "the order has another payment",
    todo: "pay the amount, and by the token, that this order's payment has",
  },

  // ---- authorization
  PAYMENT_DECLINED: { status: 409, says: "the payment was declined", todo: "pay by another means" },
  PAYMENT_VOIDED: { status: 409, says: "the payment was voided", todo: "place a new order" },
  PAYMENT_EXPIRED: {
    status: 409,
    says: "the customer did not agree to the payment in time",
    todo: "place a new order",
  },
  PAYMENT_PENDING: {
    status: 503,
    retryAfterMs: 5_000,
    says: "payment {id} waits for its customer",
    todo: "ask again: the customer has to agree at their bank",
  },

  // ---- capture and money back
  PAYMENT_NOT_AUTHORIZED: {
    status: 409,
    says: "nothing is authorized that could be captured",
    todo: "authorize the payment first",
  },
  PAYMENT_CAPTURED: { status: 409, says: "this payment was captured", todo: "refund it: it can no longer be voided" },
  PAYMENT_NOT_CAPTURED: {
    status: 409,
    says: "this payment is {status}",
    todo: "void it: only what was captured is refunded",
  },
  PAYMENT_NOT_RENEWABLE: {
    status: 409,
    says: "nothing of this payment was to be captured",
    todo: "retry the saga: only a payment whose capture was asked for is authorized anew",
  },
  REFUND_DECLINED: {
    status: 409,
    says: "the provider does not give back payment {id}",
    todo: "give the money back by hand, at the provider",
  },

  // ---- the provider
  BAD_SIGNATURE: {
    status: 401,
    says: "the webhook is not signed by the provider, or is old",
    todo: "check `PAYMENT_WEBHOOK_SECRET` on both sides, and the clocks: a signature is believed for 5 minutes",
  },
  PROVIDER_UNAVAILABLE: {
    status: 503,
    unknown: 504,
    says: "the payment provider is not there",
    todo: "repeat the request; see whether the provider can be reached",
  },
  PROVIDER_MISCONFIGURED: {
    status: 504,
    retryAfterMs: 5_000,
    says: "the payment provider refuses our requests: {reason}",
    todo: "mend what is set for the provider (credentials, address, currency): orders are held until then",
  },
  PROVIDER_CRASHED: {
    status: 500,
    says: "{reason}",
    todo: "start the process again: the thread of the bundled provider has ended",
  },
});
