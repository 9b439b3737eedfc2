import { test } from "@jest/globals";
import { given } from "@valence/runtime/actor";
import { contract } from "./contract.ts";
import { Thing } from "./thing.ts";

const { event } = contract;
const opened = event("thing.opened", { title: "the first", owner: "ada" });
const approved = event("thing.approved", {});
const declined = event("thing.declined", { reason: "too late" });

test("is opened once", () => {
  given(Thing).when("open", { title: "the first", owner: "ada" }).yields(opened);
  given(Thing, opened).when("open", { title: "the second", owner: "ada" }).refuses("THING_EXISTS");
});

test("is approved once, and not once it has been declined", () => {
  given(Thing, opened).when("approve", {}).yields(approved);
  given(Thing, opened, approved).when("approve", {}).yields();
  given(Thing, opened, declined).when("approve", {}).refuses("THING_DECIDED");
});

test("is declined with a reason, and not once it has been approved", () => {
  given(Thing, opened).when("decline", { reason: "too late" }).yields(declined);
  given(Thing, opened, approved).when("decline", { reason: "too late" }).refuses("THING_DECIDED");
});
// #region saga

test("is held and freed", () => {
  given(Thing, opened).when("hold", {}).yields(event("thing.held", {}));
  given(Thing, opened, event("thing.held", {})).when("free", {}).yields(event("thing.freed", {}));
  given(Thing, opened).when("free", {}).yields();
});
// #endregion

test("there must be one", () => {
  given(Thing).when("approve", {}).refuses("THING_NOT_FOUND");
  given(Thing).when("decline", { reason: "too late" }).refuses("THING_NOT_FOUND");
});
