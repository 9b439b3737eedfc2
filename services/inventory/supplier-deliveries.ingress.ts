import Type from "typebox";
import { ActorId } from "@valence/runtime/contract";
import { defineIngress } from "@valence/runtime/stream";

/** Books goods that a supplier announces. A delivery of a SKU that no product has is a dead letter, until the product is there. */
export const SupplierDeliveries = defineIngress({
  name: "supplier-deliveries",
  from: {
    kafka: "supplier.deliveries",
    jetstream: { stream: "SUPPLIER", subject: "supplier.deliveries" },
  },
  message: Type.Object({ sku: ActorId, quantity: Type.Integer({ minimum: 1, maximum: 1_000_000 }) }),
  key: ({ data }) => data.sku,
  handle: ({ data: { sku, quantity } }, { call }) => call("inventory.receive", { id: sku, quantity }),
});
