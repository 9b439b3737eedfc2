// A thing that is opened is held, checked and approved; if a step refuses, it is freed and declined.
import { defineSaga } from "@valence/runtime/saga";

export const ThingApproval = defineSaga("thing-approval", {
  startedBy: "thing.opened",
  otherwise: ["things.decline", ({ event }, failure) => ({ id: event.stream, reason: failure.type })],
})
  .step("hold", "things.hold", ({ event }) => ({ id: event.stream }), { undo: "things.free" })
  .step("check", "things.check", ({ event }) => ({ title: event.data.title }))
  .pivot("approve", "things.approve", ({ event }) => ({ id: event.stream }));
