import Type from "typebox";
import { defineContract } from "@valence/runtime/contract";

/**
 * The bundled provider as a service of the shop: answers its URL. Not started when PAYMENT_PROVIDER_URL names another.
 */
export const contract = defineContract({
  service: "payment-provider",
  actions: {
    /** The bundled provider also tells the secret of its webhooks. */
    url: {
      params: {},
      returns: Type.Object({
        url: Type.String(),
        webhookSecret: Type.Optional(Type.String({ writeOnly: true })),
      }),
    },
  },
  permissions: { url: false },
});
declare global {
  interface Contracts {
    "payment-provider": typeof contract;
  }
}
