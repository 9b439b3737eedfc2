// A thing: opened, then approved or declined. Pure: no broker, no clock, no I/O; commands in, events out.
import { defineActor } from "@valence/runtime/actor";
import { contract } from "./contract.ts";

const { event } = contract;

export const Thing = defineActor(contract)({
  initial: () => ({}),
  begins: ["open"],
  decide: {
    open: (state, { title, owner }, { refuse }) => {
      if (state.status !== undefined) throw refuse("THING_EXISTS");
      return [event("thing.opened", { title, owner })];
    },
    // #region saga
    hold: ({ status, isHeld }, _params, { refuse }) => {
      if (status === undefined) throw refuse("THING_NOT_FOUND");
      return isHeld ? [] : [event("thing.held", {})];
    },
    free: ({ isHeld }) => (isHeld ? [event("thing.freed", {})] : []),
    // #endregion
    // A repeated approval gives no events and is no refusal, so that a caller may repeat it.
    approve: ({ status }, _params, { refuse }) => {
      if (status === undefined) throw refuse("THING_NOT_FOUND");
      if (status === "declined") throw refuse("THING_DECIDED");
      return status === "approved" ? [] : [event("thing.approved", {})];
    },
    decline: ({ status }, { reason }, { refuse }) => {
      if (status === undefined) throw refuse("THING_NOT_FOUND");
      if (status === "approved") throw refuse("THING_DECIDED");
      return status === "declined" ? [] : [event("thing.declined", { reason })];
    },
  },
  evolve: {
    "thing.opened": (_state, { title, owner }) => ({ status: "open", title, owner }),
    // #region saga
    "thing.held": state => ({ ...state, isHeld: true }),
    "thing.freed": state => ({ ...state, isHeld: false }),
    // #endregion
    "thing.approved": state => ({ ...state, status: "approved" }),
    "thing.declined": state => ({ ...state, status: "declined" }),
  },
});
