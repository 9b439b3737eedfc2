import { expect, test } from "@jest/globals";
import { streamsLike } from "./streams-like.ts";

const names = ["order.0", "order.01", "order.012", "order.02", "order.1", "order0", "payment.01"];
/** As a store lists them: in the order of their bytes. */
const store = {
  streamsByName: async (after: string | undefined, limit: number) =>
    names
      .filter(name => after === undefined || name > after)
      .slice(0, limit)
      .map(stream => ({ stream, version: 1, archived: false })),
};

test.each([
  ["order.01", 10, ["order.01", "order.012"]],
  ["order.", 2, ["order.0", "order.01"]],
  ["order.1", 10, ["order.1"]],
  ["order.3", 10, []],
])("streams that begin with %s, %i at most", async (prefix, limit, found) => {
  expect((await streamsLike(store, prefix, limit)).map(({ stream }) => stream)).toEqual(found);
});
