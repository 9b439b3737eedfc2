// A small actor for the tests of this floor: an account that counts.
import Type from "typebox";
import { defineContract } from "../contract/index.ts";
import { defineActor } from "./index.ts";

const amount = Type.Integer({ minimum: 1 });
export const contract = defineContract({
  service: "purses",
  actor: "purse",
  state: { balance: Type.Integer({ minimum: 0 }), notes: Type.Integer() },
  commands: {
    earn: { amount },
    spend: { amount },
    both: { amount },
    clear: {},
    quote: { amount },
    later: { amount },
    crash: {},
  },
  replies: { spend: { balance: Type.Integer() } },
  events: { "purse.earned": { amount }, "purse.spent": { amount }, "purse.noted": {} },
  refusals: ["NOT_ENOUGH", "NOTHING_QUOTED"],
});
declare global {
  interface Contracts {
    purses: typeof contract;
  }
}
const { event } = contract;

/** `prepare` of `quote` calls this; tests set it. */
export const quoting = { quote: async (_context: { id: string; call: unknown }): Promise<number> => 1, times: 0 };

export const Purse = defineActor(contract)({
  initial: () => ({ balance: 0, notes: 0 }),
  prepare: {
    quote: async context => {
      quoting.times++;
      return quoting.quote(context);
    },
  },
  decide: {
    earn: (_state, { amount }) => [event("purse.earned", { amount })],
    spend: (state, { amount }, { refuse }) => {
      if (amount > state.balance) throw refuse("NOT_ENOUGH", { field: "amount", message: `only ${state.balance}` });
      return [event("purse.spent", { amount })];
    },
    both: (_state, { amount }) => [event("purse.earned", { amount }), event("purse.noted", {})],
    clear: ({ balance }) => (balance === 0 ? [] : [event("purse.spent", { amount: balance })]),
    quote: (_state, { amount }, { refuse }, price: number) => {
      if (price === 0) throw refuse("NOTHING_QUOTED");
      return [event("purse.earned", { amount: amount * price })];
    },
    later: (_state, { amount }) => ({
      events: [],
      timers: [{ set: "earn", afterMs: 20, command: "earn", params: { amount } }],
    }),
    crash: () => {
      throw new TypeError("not a function");
    },
  },
  evolve: {
    "purse.earned": (state, { amount }) => ({ ...state, balance: state.balance + amount }),
    "purse.spent": (state, { amount }) => ({ ...state, balance: state.balance - amount }),
    "purse.noted": state => ({ ...state, notes: state.notes + 1 }),
  },
  reply: { spend: state => ({ balance: state.balance }) },
  snapshotEvery: 10,
});
