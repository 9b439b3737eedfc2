import { defineReactor } from "../../../mixins/stream/index.ts";

export const WelcomeBonus = defineReactor({
  name: "welcome-bonus",
  on: { "account.opened": (event, { call }) => call("loyalty.earn", { id: event.stream, points: 100 }) },
});
