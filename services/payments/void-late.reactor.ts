import { defineReactor } from "@valence/runtime/stream";

/** An authorization that was recorded after its void was asked for is voided again: nobody else waits for it any more. */
export const VoidLate = defineReactor({
  name: "void-late",
  on: { "payment.authorized_late": ({ stream }, { call }) => call("payments.void", { id: stream }) },
});
