// A shipment: the checkout saga creates it, and a durable timer dispatches it, after a crash as well.
import { seconds } from "@valence/runtime/kernel";
import { defineActor } from "@valence/runtime/actor";
import { contract } from "./contract.ts";

const { event } = contract;

/** Milliseconds from creation to dispatch, in place of a warehouse's work. */
export const DISPATCH_AFTER_MS = seconds(1);

export const Shipment = defineActor(contract)({
  initial: () => ({ items: [] }),
  begins: ["create"],
  decide: {
    // A shipment that exists counts as created: refusing an operator's retry would leave its saga stuck for ever.
    create: (state, { address, items }, { newId }) =>
      state.status === undefined
        ? {
            events: [event("shipment.created", { trackingId: newId(), address, items: [...items] })],
            timers: [{ set: "dispatch", afterMs: DISPATCH_AFTER_MS, command: "dispatch", params: {} }],
          }
        : [],
    dispatch: ({ status, trackingId }, _params, { refuse }) => {
      if (status === undefined || trackingId === undefined) throw refuse("SHIPMENT_NOT_FOUND");
      return status === "dispatched" ? [] : [event("shipment.dispatched", { trackingId })];
    },
  },
  finished: ({ status }) => status === "dispatched",
  evolve: {
    "shipment.created": (_state, { trackingId, address, items }) => ({ status: "created", trackingId, address, items }),
    "shipment.dispatched": state => ({ ...state, status: "dispatched" }),
  },
  reply: { create: ({ trackingId }) => ({ trackingId: trackingId! }) },
});
