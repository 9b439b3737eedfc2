import { expect, test } from "@jest/globals";
import { consumerState, LAG_LIMITS_MS, type ConsumerStatus } from "./status.ts";

const following: ConsumerStatus = {
  name: "reminders",
  state: "following",
  lagEvents: 0,
  lagMs: 0,
  events: 7,
  parkedStreams: 0,
  retryingStreams: 0,
  sources: ["loans"],
};

test.each<[what: string, own: Partial<ConsumerStatus>, status: string]>([
  ["that has caught up", {}, "ok"],
  ["that is a little behind", { lagEvents: 3, lagMs: 500 }, "ok"],
  ["that is behind", { lagEvents: 300, lagMs: LAG_LIMITS_MS.warn }, "warn"],
  ["that is far behind", { lagEvents: 90_000, lagMs: LAG_LIMITS_MS.fail }, "FAIL"],
  ["whose owner does not answer", { lagEvents: null }, "warn"],
  ["with a parked stream", { parkedStreams: 1 }, "FAIL"],
  ["that reads no further", { state: "full" }, "FAIL"],
  ["that stopped at an event", { state: "stopped" }, "FAIL"],
])("a consumer %s", (_what, own, status) => {
  const state = consumerState({ ...following, ...own });
  expect(state.status).toBe(status);
  expect(state.advice === undefined).toBe(status === "ok");
});

test("a consumer whose place is not in a log names that log", () => {
  const stopped = [{ source: "loans", reason: "it lies past the end", since: "2026-01-01T00:00:00.000Z" }];
  expect(consumerState({ ...following, state: "stopped", stopped })).toMatchObject({
    status: "FAIL",
    message: "it stands still: its place is not in the log of loans",
  });
});
