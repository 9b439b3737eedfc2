import type { Call, Recorded } from "@valence/runtime/contract";
import { defineReactor } from "@valence/runtime/stream";
import type { Mailed } from "./contract.ts";

const record = ({ eventId, type, stream, at }: Recorded<Mailed>, { call }: { call: Call }) =>
  call("notifications.record", { event: eventId, kind: type, orderId: stream, at });

/** Writes down the mails of orders. They are sent afterwards, so that a mail server that is away holds up no event. */
export const OrderMails = defineReactor({
  name: "order-mails",
  on: { "order.placed": record, "order.shipped": record, "order.rejected": record, "order.cancelled": record },
});
