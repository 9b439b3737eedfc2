// The service on a real broker and a real database.
import { beforeAll, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
// #region saga
import { until } from "@valence/runtime/testing";
// #endregion
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import things from "./things.service.ts";

let node: TestBroker;
beforeAll(async () => {
  node = await startBroker([things]);
});

async function open(title: string): Promise<string> {
  const id = newId();
  await node.call("things.open", { id, title, owner: "ada" });
  return id;
}
// #region saga
const statusOf = async (id: string) => (await node.call("things.get", { id, consistent: true })).state.status;
// #endregion

test("P3 a repeated command takes effect once", async () => {
  const id = newId();
  const thing = { id, title: "the first", owner: "ada" };
  const first = await node.call("things.open", thing, { commandId: id });
  expect(await node.call("things.open", thing, { commandId: id })).toEqual(first);
});

test("it is shown to its owner alone", async () => {
  const id = await open("the first");
  const as = (user: string) =>
    node.broker.call<{ title: string }, object>("things.view", { id }, { meta: { user: { id: user, roles: [] } } });
  expect(await as("ada")).toMatchObject({ title: "the first" });
  await expect(as("eve")).rejects.toMatchObject({ type: "THING_NOT_FOUND", code: 404 });
});
// #region saga

test("P5 a saga approves it", async () => {
  const id = await open("the first");
  await until("it is approved", async () => (await statusOf(id)) === "approved");
});

test("P5 a step that refuses has it freed and declined", async () => {
  const id = await open("a forbidden one");
  await until("it is declined", async () => (await statusOf(id)) === "declined");
  expect((await node.call("things.get", { id, consistent: true })).state.isHeld).toBe(false);
});
// #endregion
// #region projection

test("P4 its owner's list includes it at once", async () => {
  const { id, version } = await node.call("things.open", { id: newId(), title: "the latest", owner: "bob" });
  const { rows } = await node.call("things.list", { owner: "bob", after: `${id}@${version}` });
  expect(rows).toMatchObject([{ id, title: "the latest" }]);
});
// #endregion
