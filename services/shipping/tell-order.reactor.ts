import { defineReactor } from "@valence/runtime/stream";

/** Tells the order that its shipment has left. */
export const TellOrder = defineReactor({
  name: "tell-order",
  on: {
    "shipment.dispatched": ({ stream, data }, { call }) =>
      call("orders.markShipped", { id: stream, trackingId: data.trackingId }),
  },
});
