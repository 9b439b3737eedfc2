// The service on a real broker and a real database.
import { beforeAll, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import records from "./records.service.ts";

let node: TestBroker;
beforeAll(async () => {
  node = await startBroker([records]);
});

test("a record is created, changed, listed and removed", async () => {
  const { id } = await node.call("records.create", { name: "the first" });
  await node.call("records.update", { id, note: "a note" });
  expect(await node.call("records.get", { id })).toMatchObject({ id, name: "the first", note: "a note" });
  expect((await node.call("records.list", {})).rows).toMatchObject([{ id }]);
  await node.call("records.remove", { id });
  expect((await node.call("records.list", {})).rows).toEqual([]);
});

test("pages follow one another by their cursor", async () => {
  for (const name of ["a", "b", "c"]) await node.call("records.create", { name });
  const { rows, nextCursor } = await node.call("records.list", { pageSize: 2 });
  expect(rows.map(({ name }) => name)).toEqual(["a", "b"]);
  const last = await node.call("records.list", { pageSize: 2, cursor: nextCursor! });
  expect([last.rows.map(({ name }) => name), last.nextCursor]).toEqual([["c"], undefined]);
});

test.each(["get", "update", "remove"] as const)("%s of one that is not there is refused", async action => {
  await expect(node.call(`records.${action}`, { id: newId() })).rejects.toMatchObject({
    type: "RECORD_NOT_FOUND",
    code: 404,
  });
});
