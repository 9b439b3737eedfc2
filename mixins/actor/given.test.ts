import { expect, test } from "@jest/globals";
import { contract, Purse } from "./account.fixture.ts";
import { defineActor, given } from "./index.ts";

const { event } = contract;
const earned = (amount: number) => event("purse.earned", { amount });

test("yields, refuses, becomes and replies hold for what the actor does", () => {
  given(Purse).when("earn", { amount: 3 }).yields(earned(3));
  given(Purse, earned(3)).when("spend", { amount: 4 }).refuses("NOT_ENOUGH", "amount");
  given(Purse, earned(3)).when("both", { amount: 4 }).becomes({ balance: 7, notes: 1 });
  given(Purse, earned(3)).when("spend", { amount: 2 }).replies({ balance: 1 });
  given(Purse)
    .when("later", { amount: 2 })
    .timers({ set: "earn", afterMs: 20, command: "earn", params: { amount: 2 } });
});

test("each of them fails for what the actor does not do", () => {
  expect(() => given(Purse).when("earn", { amount: 3 }).yields(earned(4))).toThrow();
  expect(() => given(Purse, earned(9)).when("spend", { amount: 4 }).refuses("NOT_ENOUGH")).toThrow();
  expect(() => given(Purse).when("spend", { amount: 4 }).refuses("NOTHING_QUOTED")).toThrow();
  expect(() => given(Purse).when("earn", { amount: 3 }).becomes({ balance: 4 })).toThrow();
  expect(() => given(Purse, earned(3)).when("spend", { amount: 2 }).replies({ balance: 2 })).toThrow();
});

test("params, events and states outside of the contract are found", () => {
  expect(() => given(Purse).when("earn", { amount: 0 }).yields()).toThrow(/breaks the contract/);
  expect(() => given(Purse, { type: "purse.earned", data: { amount: 1.5 } })).toThrow(/breaks the contract/);
  expect(() => given(Purse, event("purse.spent", { amount: 1 }))).toThrow(/state breaks the contract/);
});

test("a fold that changes the state it was given throws", () => {
  const Changing = defineActor(contract)({
    ...Purse,
    evolve: {
      ...Purse.evolve,
      "purse.noted": state => Object.assign(state as { notes: number }, { notes: 1 }) as never,
    },
  });
  expect(() => given(Changing, event("purse.noted", {}))).toThrow(/read only|extensible/);
});
