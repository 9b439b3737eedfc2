import { expect, test } from "@jest/globals";
import { partitionIn, partitionName, partitionOf, presentRows, reachedBy } from "./partitions.ts";

test("a stream lies in one partition, and half as many partitions are each two of the others", () => {
  const found = new Set<number>();
  for (let i = 0; i < 500; i++) {
    const of16 = partitionOf(`thing.${i}`, 16);
    found.add(of16);
    expect(partitionOf(`thing.${i}`, 8)).toBe(of16 % 8);
  }
  expect(found.size).toBe(16);
});

test("names tell the number of partitions", () => {
  expect(partitionName(3, 16)).toBe("3/16");
  expect([partitionIn("3/16", 16), partitionIn("3/16", 8), partitionIn("0", 16)]).toEqual([3, -1, -1]);
});

test("the row of the whole log counts only where there are no partitions beside it", () => {
  const row = (source: string, partition: string, cursor: string) => ({ source, partition, cursor });
  const rows = [row("a", "0", "9"), row("a", "0/2", "5"), row("a", "1/2", "7"), row("b", "0", "4")];
  const present = presentRows(rows);
  expect(present.map(({ cursor }) => cursor)).toEqual(["5", "7", "4"]);
  expect(reachedBy(present.filter(({ source }) => source === "a"))).toBe("5");
});
