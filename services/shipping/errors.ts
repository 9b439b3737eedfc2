// Errors of shipments.
import { defineErrors } from "@valence/runtime/kernel";

export const shipmentErrors = defineErrors({
  SHIPMENT_NOT_FOUND: {
    status: 404,
    says: "there is no shipment for this order",
    todo: "wait until the order is confirmed",
  },
});
