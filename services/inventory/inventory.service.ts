import { Refusal } from "../../mixins/kernel/index.ts";
import { defineService } from "../../mixins/contract/index.ts";
import { Actors } from "../../mixins/actor/mixin.ts";
import { contract } from "./contract.ts";
import { Stock } from "./stock.ts";

export default defineService(contract, {
  mixins: [Actors(Stock)],
  actions: {
    level: {
      placement: "sku",
      repeatable: true,
      async handler({ params: { sku } }) {
        const { state } = await this.actors.get(sku);
        if (state.received === 0) throw new Refusal("STOCK_NOT_FOUND", { field: "sku", message: `no stock of ${sku}` });
        return { sku, available: state.available, reserved: state.received - state.available - state.sold };
      },
    },
  },
});
