import Type from "typebox";
import { defineContract } from "@valence/runtime/contract";
import { Address } from "../address.ts";
import { shipmentErrors } from "./errors.ts";

const Item = Type.Object(
  { sku: Type.String(), quantity: Type.Integer({ minimum: 1 }) },
  { additionalProperties: false },
);
const trackingId = Type.String({ minLength: 1, maxLength: 100 });

/** One shipment an order, with the order's id. A durable timer dispatches it. */
export const contract = defineContract({
  service: "shipping",
  actor: "shipment",
  state: {
    status: Type.Optional(Type.Enum(["created", "dispatched"])),
    trackingId: Type.Optional(trackingId),
    address: Type.Optional(Address),
    items: Type.Array(Item),
  },
  /** `create` repeated under another command id answers the shipment that exists. */
  commands: { create: { address: Address, items: Type.Array(Item, { minItems: 1, maxItems: 100 }) }, dispatch: {} },
  replies: { create: { trackingId } },
  events: {
    "shipment.created": { trackingId, address: Address, items: Type.Array(Item) },
    "shipment.dispatched": { trackingId },
  },
  refusals: shipmentErrors,
  mayRefuse: { create: [] },
  permissions: { create: false, dispatch: false },
  callers: { checkout: ["create"] },
});
declare global {
  interface Contracts {
    shipping: typeof contract;
  }
}
