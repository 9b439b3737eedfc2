import Type from "typebox";
import { defineContract } from "@valence/runtime/contract";

const reservation = { rewardId: Type.String(), redemption: Type.String() };
const Stock = Type.Object({ left: Type.Integer() });

export const contract = defineContract({
  service: "rewards",
  actions: {
    /** Both may be repeated: a reservation is made, and given back, once. */
    reserve: { params: reservation, returns: Stock },
    release: { params: reservation, returns: Stock },
    ship: {
      params: { rewardId: Type.String(), to: Type.String(), left: Type.Integer() },
      returns: Type.Object({ trackingId: Type.String() }),
    },
  },
  refusals: ["OUT_OF_REWARDS", "NO_ADDRESS"],
});
declare global {
  interface Contracts {
    rewards: typeof contract;
  }
}
