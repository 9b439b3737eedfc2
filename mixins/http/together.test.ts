import { expect, test } from "@jest/globals";
import { together } from "./together.ts";

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

test("writes of one turn leave at its end, in order", async () => {
  const written: number[] = [];
  together(() => void written.push(1));
  together(() => void written.push(2));
  await Promise.resolve();
  expect(written).toEqual([]);
  await nextTurn();
  expect(written).toEqual([1, 2]);
});

test("a write that begins another leaves that to the next turn", async () => {
  const written: string[] = [];
  together(() => {
    written.push("a");
    together(() => void written.push("c"));
    written.push("b");
  });
  await nextTurn();
  expect(written).toEqual(["a", "b"]);
  await nextTurn();
  expect(written).toEqual(["a", "b", "c"]);
});
