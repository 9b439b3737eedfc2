import { defineActor } from "@valence/runtime/actor";
import { contract } from "./contract.ts";

const { event } = contract;

export const Account = defineActor(contract)({
  initial: () => ({ balance: 0 }),
  decide: {
    open: (state, { owner }, { refuse }) => {
      if (state.owner !== undefined) throw refuse("ACCOUNT_EXISTS");
      return [event("account.opened", { owner })];
    },
    earn: (state, { points }, { refuse }) => {
      if (state.owner === undefined) throw refuse("ACCOUNT_NOT_FOUND");
      return [event("account.earned", { points })];
    },
    redeem: (state, { points, rewardId }, { refuse }) => {
      if (points > state.balance) throw refuse("NOT_ENOUGH_POINTS", { field: "points" });
      return [event("account.redeemed", { points, rewardId })];
    },
    refund: (_state, { points, reason }) => [event("account.refunded", { points, reason })],
  },
  evolve: {
    "account.opened": (state, { owner }) => ({ ...state, owner }),
    "account.earned": (state, { points }) => ({ ...state, balance: state.balance + points }),
    "account.redeemed": (state, { points }) => ({ ...state, balance: state.balance - points }),
    "account.refunded": (state, { points }) => ({ ...state, balance: state.balance + points }),
  },
});
