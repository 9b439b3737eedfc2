import { test } from "@jest/globals";
import { given } from "@valence/runtime/actor";
import { Account } from "./account.ts";
import { contract } from "./contract.ts";

const { event } = contract;
const opened = event("account.opened", { owner: "ada" });
const earned = (points: number) => event("account.earned", { points });
const redemption = { points: 4, rewardId: "mug" };

test("redeems within the balance", () =>
  given(Account, opened, earned(10)).when("redeem", redemption).yields(event("account.redeemed", redemption)));
test("refuses more than the balance", () =>
  given(Account, opened, earned(3)).when("redeem", redemption).refuses("NOT_ENOUGH_POINTS", "points"));
test("earning adds up", () => given(Account, opened, earned(3)).when("earn", { points: 4 }).becomes({ balance: 7 }));
