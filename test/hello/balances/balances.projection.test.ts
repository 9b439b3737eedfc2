import { expect, test } from "@jest/globals";
import { given } from "@valence/runtime/projection";
import { Balances } from "./balances.projection.ts";

test("earning and redeeming add up", async () => {
  const { balances } = await given(
    Balances,
    { type: "account.opened", stream: "ada", data: { owner: "ada" } },
    { type: "account.earned", stream: "ada", data: { points: 100 } },
    { type: "account.redeemed", stream: "ada", data: { points: 30, rewardId: "mug" } },
  );
  expect(balances).toMatchObject([{ id: "ada", points: 70 }]);
});
