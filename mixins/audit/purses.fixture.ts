// A service with a small actor, whose events are recorded. One of their fields is secret, another is personal.
import Type from "typebox";
import { defineActor } from "../actor/index.ts";
import { Actors } from "../actor/mixin.ts";
import { defineContract, defineService, PERSONAL } from "../contract/index.ts";

const earned = {
  amount: Type.Integer(),
  token: Type.String({ writeOnly: true }),
  payer: Type.Optional(Type.String(PERSONAL)),
};
const contract = defineContract({
  service: "purses",
  actor: "purse",
  state: { balance: Type.Integer() },
  commands: { earn: earned },
  events: { "purse.earned": earned },
});
const Purse = defineActor(contract)({
  initial: () => ({ balance: 0 }),
  decide: { earn: (_state, params) => [contract.event("purse.earned", params)] },
  evolve: { "purse.earned": ({ balance }, { amount }) => ({ balance: balance + amount }) },
});
export const Purses = defineService(contract, { mixins: [Actors(Purse)] });
