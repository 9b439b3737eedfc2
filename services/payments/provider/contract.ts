import Type from "typebox";
import { defineContract } from "@valence/runtime/contract";

/** The bundled provider within the house: where to find it. Not started when PAYMENT_PROVIDER_URL names another. */
export const contract = defineContract({
  service: "payment-provider",
  actions: {
    /** The bundled one also tells what it signs webhooks with. */
    url: {
      params: {},
      returns: Type.Object({
        url: Type.String(),
        webhookSecret: Type.Optional(Type.String({ writeOnly: true })),
      }),
    },
  },
  roles: { url: [] },
});
declare global {
  interface Contracts {
    "payment-provider": typeof contract;
  }
}
