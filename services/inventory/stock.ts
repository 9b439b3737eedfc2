// The stock of one SKU. Invariant: received = available + Σ reservations + sold, none of them below zero.
//
// A reservation is the order's, not the command's: an operator's retry comes under another command id and must not
// reserve twice, and giving back or selling what is not reserved does nothing.
import { defineActor } from "../../mixins/actor/index.ts";
import { contract } from "./contract.ts";

const { event } = contract;

export const limits = {
  /** Units of one SKU ever received: keeps every count a safe integer, and a slip of the keyboard out of the books. */
  receivedMax: 1_000_000_000,
} as const;

export const Stock = defineActor(contract)({
  initial: () => ({ available: 0, received: 0, sold: 0, reservations: {} }),
  decide: {
    receive: ({ received }, { quantity }, { refuse }) => {
      if (received + quantity > limits.receivedMax)
        throw refuse("TOO_MUCH_STOCK", { status: 422, field: "quantity", message: "more than a SKU can hold" });
      return [event("stock.received", { quantity })];
    },
    reserve: ({ received, available, reservations }, { orderId, quantity }, { id, refuse }) => {
      if (received === 0) throw refuse("STOCK_NOT_FOUND", { message: `nothing of ${id} was ever received` });
      const reserved = reservations[orderId];
      if (reserved === quantity) return [];
      if (reserved !== undefined)
        throw refuse("ALREADY_RESERVED", { field: "quantity", message: `order ${orderId} has reserved ${reserved}` });
      if (quantity > available)
        throw refuse("OUT_OF_STOCK", { field: "quantity", message: `${available} of ${id} available` });
      return [event("stock.reserved", { orderId, quantity })];
    },
    release: ({ reservations }, { orderId }) => {
      const quantity = reservations[orderId];
      return quantity === undefined ? [] : [event("stock.released", { orderId, quantity })];
    },
    commit: ({ reservations }, { orderId }) => {
      const quantity = reservations[orderId];
      return quantity === undefined ? [] : [event("stock.sold", { orderId, quantity })];
    },
  },
  evolve: {
    "stock.received": (state, { quantity }) => ({
      ...state,
      received: state.received + quantity,
      available: state.available + quantity,
    }),
    "stock.reserved": (state, { orderId, quantity }) => ({
      ...state,
      available: state.available - quantity,
      reservations: { ...state.reservations, [orderId]: quantity },
    }),
    "stock.released": (state, { orderId, quantity }) => ({
      ...state,
      available: state.available + quantity,
      reservations: without(state.reservations, orderId),
    }),
    "stock.sold": (state, { orderId, quantity }) => ({
      ...state,
      sold: state.sold + quantity,
      reservations: without(state.reservations, orderId),
    }),
  },
  reply: { receive: ({ available }) => ({ available }) },
});

function without<V>(record: { readonly [key: string]: V }, key: string): { [key: string]: V } {
  const { [key]: _gone, ...rest } = record;
  return rest;
}
