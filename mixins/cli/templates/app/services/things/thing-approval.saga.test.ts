import { test } from "@jest/globals";
import { done, GIVEN_ID as id, given, refused, started } from "@valence/runtime/saga";
import { ThingApproval } from "./thing-approval.saga.ts";

const opened = started("thing.opened", { title: "the first", owner: "ada" });
const held = [opened, done("hold", { id, version: 2 })];

test("a thing is held, checked and approved", () => {
  given(ThingApproval, opened).calls("things.hold", { id });
  given(ThingApproval, ...held).calls("things.check", { title: "the first" });
  given(ThingApproval, ...held, done("check", { isChecked: true })).calls("things.approve", { id });
});

test("one that is not allowed is freed and declined", () => {
  given(ThingApproval, ...held, refused("check", "THING_NOT_ALLOWED")).compensates("things.free", { id });
});
