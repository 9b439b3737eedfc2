import Type from "typebox";
import { defineContract } from "@valence/runtime/contract";

export const contract = defineContract({
  service: "balances",
  actions: {
    /** `after` is a read-your-writes token, `<account id>@<version>`. */
    of: {
      params: { id: Type.String(), after: Type.Optional(Type.String()) },
      returns: Type.Object({ points: Type.Integer() }),
    },
  },
});
declare global {
  interface Contracts {
    balances: typeof contract;
  }
}
