// An approval is told to people. A reactor calls at least once for each event.
import { defineReactor } from "@valence/runtime/stream";

export const ThingNotice = defineReactor({
  name: "thing-notice",
  on: { "thing.approved": ({ stream }, { call }) => call("things.notify", { id: stream }) },
});
