import { defineService } from "@valence/runtime/contract";
import { Projections } from "@valence/runtime/projection/mixin";
import { Reactors } from "@valence/runtime/stream/mixin";
import { Balances } from "./balances.projection.ts";
import { contract } from "./contract.ts";
import { WelcomeBonus } from "./welcome-bonus.ts";

export default defineService(contract, {
  mixins: [Projections(Balances), Reactors(WelcomeBonus)],
  actions: {
    async of({ params: { id, after } }) {
      const balances = this.projection("balances");
      if (after !== undefined) await balances.waitFor(after);
      const row = await balances.table("balances").where({ id }).first();
      return { points: Number(row?.points ?? 0) };
    },
  },
});
