import { expect, test } from "@jest/globals";
import { withNodes } from "./shared-rows.ts";

test("shared work names its nodes, with the number of partitions of each", () => {
  const of = (...owners: (string | null)[]) => owners.map((owner, partition) => ({ partition, owner, lagEvents: 0 }));
  expect(withNodes([{ partitions: of("node-2", "node-1", null, "node-2") }, {}, { partitions: [] }])).toEqual([
    { partitions: "node-1 1, node-2 2, none 1" },
    { partitions: undefined },
    { partitions: undefined },
  ]);
});
