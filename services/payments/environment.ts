// The payment provider, and its deadline.
import { defineEnvironment, integer, secret, url } from "@valence/runtime/kernel";

export const paymentsEnvironment = defineEnvironment("Payments", {
  PAYMENT_PROVIDER_URL: url({
    protocols: ["http:", "https:"],
    defaultSays: "the bundled one, started with the shop",
    says: "base URL of the payment provider",
  }),
  PAYMENT_WEBHOOK_SECRET: secret({
    pattern: /^.{16,}$/su,
    expected: "at least 16 characters",
    defaultSays: "the bundled provider's own",
    says: "the secret with which the provider signs its webhooks to `POST /api/v1/payments/webhook`",
  }),
  PAYMENT_PENDING_MS: integer({
    min: 100,
    max: 604_800_000,
    default: 3_600_000,
    says: "milliseconds that a customer has to agree to a pending payment; past it the order is rejected",
  }),
});
