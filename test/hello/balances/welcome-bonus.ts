import { defineReactor } from "@valence/runtime/stream";

export const WelcomeBonus = defineReactor({
  name: "welcome-bonus",
  on: { "account.opened": (event, { call }) => call("loyalty.earn", { id: event.stream, points: 100 }) },
});
