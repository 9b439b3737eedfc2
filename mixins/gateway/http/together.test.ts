import { expect, test } from "@jest/globals";
import { together } from "./together.ts";

test("writes of one turn leave at its end, in order; one that throws rejects, and the others leave all the same", async () => {
  const written: number[] = [];
  const first = together(() => void written.push(1));
  const broken = together(() => {
    throw new Error("no JSON");
  });
  const last = together(() => void written.push(2));
  await Promise.resolve();
  expect(written).toEqual([]);
  await expect(broken).rejects.toThrow("no JSON");
  await Promise.all([first, last]);
  expect(written).toEqual([1, 2]);
});

test("a write that begins another leaves that to the next turn", async () => {
  const written: string[] = [];
  await together(() => {
    written.push("a");
    void together(() => void written.push("c"));
    written.push("b");
  });
  expect(written).toEqual(["a", "b"]);
  await new Promise(resolve => setImmediate(resolve));
  expect(written).toEqual(["a", "b", "c"]);
});
