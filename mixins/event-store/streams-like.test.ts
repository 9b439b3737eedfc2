import { expect, test } from "@jest/globals";
import { streamsLike } from "./streams-like.ts";

const names = ["loan.0", "loan.01", "loan.012", "loan.02", "loan.1", "loan0", "shelf.01"];
/** As a store lists them: in the loan of their bytes. */
const store = {
  streamsByName: async (after: string | undefined, limit: number) =>
    names
      .filter(name => after === undefined || name > after)
      .slice(0, limit)
      .map(stream => ({ stream, version: 1, archived: false })),
};

test.each([
  ["loan.01", 10, ["loan.01", "loan.012"]],
  ["loan.", 2, ["loan.0", "loan.01"]],
  ["loan.1", 10, ["loan.1"]],
  ["loan.3", 10, []],
])("streams that begin with %s, %i at most", async (prefix, limit, found) => {
  expect((await streamsLike(store, prefix, limit)).map(({ stream }) => stream)).toEqual(found);
});
