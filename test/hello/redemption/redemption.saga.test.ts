// The contracts are loaded, so that `given` checks the params of every call.
import "../loyalty/contract.ts";
import "../rewards/contract.ts";
import { test } from "@jest/globals";
import { done, GIVEN_ID as id, given, refused, started, undone } from "@valence/runtime/saga";
import { Redemption } from "./redemption.saga.ts";

const redeemed = started("account.redeemed", { points: 30, rewardId: "mug" });
const reserved = [redeemed, done("reserve", { left: 0 })];
const refusedToShip = [...reserved, refused("ship", "NO_ADDRESS")];

test("a reward is reserved, then shipped", () => {
  given(Redemption, redeemed).calls("rewards.reserve", { rewardId: "mug", redemption: id });
  given(Redemption, ...reserved).calls("rewards.ship", { rewardId: "mug", to: id, left: 0 });
});

test("one that cannot be shipped is released, and the points are given back", () => {
  given(Redemption, ...refusedToShip).compensates("rewards.release", { rewardId: "mug", redemption: id });
  given(Redemption, ...refusedToShip, undone("reserve")).compensates("loyalty.refund", {
    id,
    points: 30,
    reason: "NO_ADDRESS",
  });
});
