// A small actor with timers, for the tests of `given`: a room is held for a guest, and the hold expires unless it is
// confirmed; a confirmed booking is reminded of a day before.
import Type from "typebox";
import { defineContract } from "../contract/index.ts";
import { defineActor } from "./index.ts";

const HOLD_MS = 15 * 60_000;

export const contract = defineContract({
  service: "bookings",
  actor: "booking",
  state: { status: Type.Enum(["free", "held", "confirmed"]), heldAt: Type.Optional(Type.String()) },
  commands: { hold: {}, confirm: {}, expire: {}, remind: {}, tick: {} },
  events: {
    "booking.held": { at: Type.String() },
    "booking.confirmed": {},
    "booking.expired": { at: Type.String() },
    "booking.reminded": {},
  },
  refusals: ["BOOKING_HELD", "BOOKING_NOT_HELD"],
});
const { event } = contract;

export const Booking = defineActor(contract)({
  initial: () => ({ status: "free" }),
  decide: {
    hold: ({ status }, _params, { now, refuse }) => {
      if (status !== "free") throw refuse("BOOKING_HELD");
      const timers = [{ set: "expiry", afterMs: HOLD_MS, command: "expire", params: {} } as const];
      return { events: [event("booking.held", { at: now })], timers };
    },
    confirm: ({ status }, _params, { refuse }) => {
      if (status !== "held") throw refuse("BOOKING_NOT_HELD");
      const reminder = { set: "reminder", afterMs: 24 * 3_600_000, command: "remind", params: {} } as const;
      return { events: [event("booking.confirmed", {})], timers: [{ cancel: "expiry" }, reminder] };
    },
    expire: ({ status }, _params, { now, refuse }) => {
      if (status !== "held") throw refuse("BOOKING_NOT_HELD");
      return [event("booking.expired", { at: now })];
    },
    remind: () => [event("booking.reminded", {})],
    tick: () => ({ events: [], timers: [{ set: "tick", afterMs: 0, command: "tick", params: {} }] }),
  },
  evolve: {
    "booking.held": (_state, { at }) => ({ status: "held", heldAt: at }),
    "booking.confirmed": state => ({ ...state, status: "confirmed" }),
    "booking.expired": () => ({ status: "free" }),
    "booking.reminded": state => state,
  },
});
