import Type from "typebox";
import { defineContract } from "@valence/runtime/contract";

const Points = Type.Integer({ minimum: 1, maximum: 1_000_000 });

export const contract = defineContract({
  service: "loyalty",
  actor: "account",
  state: { owner: Type.Optional(Type.String()), balance: Type.Integer({ minimum: 0 }) },
  commands: {
    open: { owner: Type.String({ minLength: 1 }) },
    earn: { points: Points },
    redeem: { points: Points, rewardId: Type.String() },
    refund: { points: Points, reason: Type.String() },
  },
  events: {
    "account.opened": { owner: Type.String() },
    "account.earned": { points: Points },
    "account.redeemed": { points: Points, rewardId: Type.String() },
    "account.refunded": { points: Points, reason: Type.String() },
  },
  refusals: ["ACCOUNT_EXISTS", "ACCOUNT_NOT_FOUND", "NOT_ENOUGH_POINTS"],
});
declare global {
  interface Contracts {
    loyalty: typeof contract;
  }
}
