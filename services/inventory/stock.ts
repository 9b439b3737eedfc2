// The stock of one SKU. Invariant: received + adjusted = available + Σ reservations + sold, where only `adjusted` may
// be below zero.
//
// A reservation belongs to the order, not to the command: an operator's retry has another command id and must not
// reserve twice. Giving back or selling what is not reserved changes nothing.
import { defineActor, type PrepareContext, type StateOf } from "@valence/runtime/actor";
import { contract } from "./contract.ts";
import { quantityOf, withoutReservation, withReservation } from "./reservations.ts";

const { event } = contract;
type State = StateOf<typeof contract>;

export const limits = {
  /** Units of one SKU ever received: keeps every count a safe integer, and a mistyped number out of the records. */
  receivedMax: 1_000_000_000,
  /**
   * Events between two snapshots. A snapshot of 30,000 open reservations is 1.2 MB and 7 ms of JSON: spread over 1,000
   * commands that is 7 µs each. Loading the events since the last snapshot takes some 10 ms.
   */
  snapshotEvery: 1_000,
} as const;

export const Stock = defineActor(contract)({
  // Schema 2: the open reservations are a tree.
  snapshotSchema: 2,
  snapshotEvery: limits.snapshotEvery,
  initial: () => ({ available: 0, received: 0, sold: 0, reservations: [] }),
  prepare: {
    receive: hasProduct,
    // Pieces that a removed product has left can still be taken out.
    adjust: async (context, _state, { quantity }) => (quantity > 0 ? hasProduct(context) : undefined),
  },
  decide: {
    receive: (state, { quantity }, { refuse }) => {
      if (broughtIn(state) + quantity > limits.receivedMax) throw refuse("TOO_MUCH_STOCK", { field: "quantity" });
      return [event("stock.received", { quantity })];
    },
    adjust: (state, { quantity, reason }, { id, refuse }) => {
      if (quantity === 0) throw refuse("NOTHING_TO_ADJUST", { field: "quantity", message: "must not be 0" });
      if (broughtIn(state) + quantity > limits.receivedMax) throw refuse("TOO_MUCH_STOCK", { field: "quantity" });
      if (quantity < 0 && !wasEverThere(state)) throw refuse("STOCK_NOT_FOUND", { field: "sku", sku: id });
      if (state.available + quantity < 0)
        throw refuse("BELOW_RESERVED", {
          field: "quantity",
          available: state.available,
          sku: id,
          reserved: reservedOf(state),
        });
      return [event("stock.adjusted", { quantity, reason })];
    },
    reserve: (state, { orderId, quantity }, { id, refuse }) => {
      const { available, reservations } = state;
      if (!wasEverThere(state)) throw refuse("STOCK_NOT_FOUND", { message: `nothing of ${id} was ever received` });
      const reserved = quantityOf(reservations, orderId);
      if (reserved === quantity) return [];
      if (reserved !== undefined) throw refuse("ALREADY_RESERVED", { field: "quantity", orderId, reserved });
      if (quantity > available) throw refuse("OUT_OF_STOCK", { field: "quantity", available, sku: id });
      return [event("stock.reserved", { orderId, quantity })];
    },
    release: ({ reservations }, { orderId }) => {
      const quantity = quantityOf(reservations, orderId);
      return quantity === undefined ? [] : [event("stock.released", { orderId, quantity })];
    },
    commit: ({ reservations }, { orderId }) => {
      const quantity = quantityOf(reservations, orderId);
      return quantity === undefined ? [] : [event("stock.sold", { orderId, quantity })];
    },
    takeBack: ({ sold }, { orderId, quantity, wasSold = true }, { refuse }) => {
      if (!wasSold) return [];
      if (quantity > sold) throw refuse("NOT_SOLD", { field: "quantity", sold });
      return [event("stock.returned", { orderId, quantity })];
    },
  },
  evolve: {
    "stock.received": (state, { quantity }) => ({
      ...state,
      received: state.received + quantity,
      available: state.available + quantity,
    }),
    "stock.adjusted": (state, { quantity }) => ({
      ...state,
      adjusted: (state.adjusted ?? 0) + quantity,
      available: state.available + quantity,
    }),
    "stock.reserved": (state, { orderId, quantity }) => ({
      ...state,
      available: state.available - quantity,
      reservations: withReservation(state.reservations, orderId, quantity),
    }),
    "stock.released": (state, { orderId, quantity }) => ({
      ...state,
      available: state.available + quantity,
      reservations: withoutReservation(state.reservations, orderId),
    }),
    "stock.sold": (state, { orderId, quantity }) => ({
      ...state,
      sold: state.sold + quantity,
      reservations: withoutReservation(state.reservations, orderId),
    }),
    "stock.returned": (state, { quantity }) => ({
      ...state,
      available: state.available + quantity,
      sold: state.sold - quantity,
    }),
  },
  reply: { receive: ({ available }) => ({ available }), adjust: ({ available }) => ({ available }) },
});

/** Whether the SKU was ever in stock. */
export const wasEverThere = ({ received, adjusted }: State): boolean => received > 0 || adjusted !== undefined;

export const reservedOf = (state: State): number => broughtIn(state) - state.available - state.sold;

/** All received pieces, with corrections. */
const broughtIn = ({ received, adjusted = 0 }: State): number => received + adjusted;

/** Refuses goods of a SKU that no product has: they could be neither ordered nor seen. */
async function hasProduct({ id, call }: PrepareContext): Promise<void> {
  await call("catalog.bySku", { sku: id });
}
