import { defineService } from "../../../mixins/contract/index.ts";
import { Projections } from "../../../mixins/projection/mixin.ts";
import { Reactors } from "../../../mixins/stream/mixin.ts";
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
