import { expect, test } from "@jest/globals";
import { given } from "@valence/runtime/projection";
import { ThingList } from "./thing-list.projection.ts";

const openedAt = "2030-01-01T00:00:00.000Z";
const opened = { type: "thing.opened", stream: "1", at: openedAt, data: { title: "the first", owner: "ada" } } as const;

test("a thing is listed with what became of it", async () => {
  const { rows } = await given(ThingList, opened, { type: "thing.approved", stream: "1", data: {} });
  expect(rows).toEqual([{ id: "1", owner: "ada", title: "the first", status: "approved", openedAt }]);
});

test("one that was not opened is not listed", async () => {
  expect(await given(ThingList, { type: "thing.declined", stream: "2", data: { reason: "" } })).toEqual({ rows: [] });
});
