import Type from "typebox";
import { defineContract } from "../../../mixins/contract/index.ts";

/** The bundled provider within the house: where to find it. Not started when PAYMENT_PROVIDER_URL names another. */
export const contract = defineContract({
  service: "payment-provider",
  actions: { url: { params: {}, returns: Type.Object({ url: Type.String() }) } },
  roles: { url: ["admin"] },
});
declare global {
  interface Contracts {
    "payment-provider": typeof contract;
  }
}
