import Type from "typebox";
import { ActorId, defineContract } from "@valence/runtime/contract";

/** Events of which the customer of the order gets a mail. */
export const MAILED = ["order.placed", "order.shipped", "order.rejected", "order.cancelled"] as const;
export type Mailed = (typeof MAILED)[number];

export const contract = defineContract({
  service: "notifications",
  actions: {
    /**
     * Writes down that an event has a mail, which is sent soon. Safe to repeat: an event has one. Answers whether there is
     * to be a mail: an event of before the first start of the service, or of long ago, has none.
     */
    record: {
      params: {
        event: Type.String({ minLength: 1, maxLength: 200 }),
        kind: Type.Enum([...MAILED]),
        orderId: ActorId,
        at: Type.String({ format: "date-time" }),
      },
      returns: Type.Object({ recorded: Type.Boolean() }),
    },
  },
  mayRefuse: { record: [] },
  // For the reactor alone.
  permissions: { record: false },
});
declare global {
  interface Contracts {
    notifications: typeof contract;
  }
}
