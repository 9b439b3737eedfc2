import { defineReactor } from "@valence/runtime/stream";

/**
 * Voids an authorization again that was recorded after its void was asked for: no other process waits for it any more.
 */
export const VoidLate = defineReactor({
  name: "void-late",
  on: { "payment.authorized_late": ({ stream }, { call }) => call("payments.void", { id: stream }) },
});
