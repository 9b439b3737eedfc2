import { defineSaga } from "@valence/runtime/saga";

export const Redemption = defineSaga("redemption", {
  startedBy: "account.redeemed",
  otherwise: [
    "loyalty.refund",
    ({ event }, failure) => ({ id: event.stream, points: event.data.points, reason: failure.type }),
  ],
})
  .step("reserve", "rewards.reserve", ({ event, sagaId }) => ({ rewardId: event.data.rewardId, redemption: sagaId }), {
    undo: "rewards.release",
  })
  .pivot(
    "ship",
    "rewards.ship",
    ({ event, done }) => ({ rewardId: event.data.rewardId, to: event.stream, left: done.reserve.left }),
    { timeoutMs: 10_000 },
  );
