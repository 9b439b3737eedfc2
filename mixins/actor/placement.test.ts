import { expect, test } from "@jest/globals";
import { rendezvous } from "./index.ts";

const keys = Array.from({ length: 20_000 }, (_, i) => `order-${i}`);
const nodes = (n: number) => Array.from({ length: n }, (_, i) => `host-${i}-${4000 + i}`);
const owners = (names: string[]) => keys.map(key => rendezvous(key, names, name => name));

test("a node that joins or leaves moves its own share of the keys and no other", () => {
  for (const n of [3, 9]) {
    const before = owners(nodes(n));
    const after = owners(nodes(n + 1));
    const moved = after.filter((owner, i) => owner !== before[i]);
    expect(new Set(moved)).toEqual(new Set([nodes(n + 1)[n]]));
    expect(moved.length / keys.length).toBeGreaterThan(0.85 / (n + 1));
    expect(moved.length / keys.length).toBeLessThan(1.15 / (n + 1));
  }
});

test("every node sees the same owner, whatever the order of its list", () => {
  const list = nodes(5);
  expect(owners([...list].reverse())).toEqual(owners(list));
});

test("an empty list is an error, not an owner", () => {
  expect(() => rendezvous("a", [], name => name)).toThrow("no nodes");
});
