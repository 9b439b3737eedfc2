import { expect, test } from "@jest/globals";
import { randomOf } from "../../testing/index.ts";
import { planOf } from "./shares.ts";

type Owners = (string | undefined)[];
const none = (count: number): Owners => Array.from({ length: count }, () => undefined);
const heldBy = (owners: Owners, node: string): number => owners.filter(owner => owner === node).length;

/** One turn of a node: what it gives back is free for the next one's turn. */
function turn(owners: Owners, members: readonly string[], me: string): number {
  const { take, release } = planOf({ me, members, owners });
  for (const partition of take) owners[partition] = me;
  for (const partition of release) owners[partition] = undefined;
  return release.length;
}

test("a node alone takes all; a second one gets half of them, and nothing else moves", () => {
  const owners = none(16);
  turn(owners, ["a"], "a");
  expect(heldBy(owners, "a")).toBe(16);
  const given = turn(owners, ["a", "b"], "a") + turn(owners, ["a", "b"], "b");
  expect([given, heldBy(owners, "a"), heldBy(owners, "b")]).toEqual([8, 8, 8]);
  expect(turn(owners, ["a", "b"], "a") + turn(owners, ["a", "b"], "b")).toBe(0);
});

test("where shares cannot be equal, the nodes that hold most keep one more: a tie moves nothing", () => {
  const of = ([a, b, c]: readonly [number, number, number]): Owners => [
    ...Array<string>(a).fill("a"),
    ...Array<string>(b).fill("b"),
    ...Array<string>(c).fill("c"),
  ];
  const members = ["a", "b", "c"];
  for (const counts of [
    [6, 5, 5],
    [5, 6, 5],
    [5, 5, 6],
  ] as const)
    for (const me of members)
      expect(planOf({ me, members, owners: of(counts) })).toMatchObject({ take: [], release: [] });
  const uneven = of([6, 6, 4]);
  expect(members.map(me => planOf({ me, members, owners: uneven }).release.length)).toEqual([0, 1, 0]);
});

test("partitions that are being given back, or are held by a node that is leaving, are not taken", () => {
  const owners: Owners = ["a", "", "gone", undefined];
  expect(planOf({ me: "a", members: ["a"], owners })).toEqual({ share: 4, take: [3], release: [] });
});

test("whatever nodes come and go, in whatever order they look: shares are even, and each partition has one node", () => {
  const random = randomOf(7);
  const owners = none(16);
  const nodes = new Set<string>();
  for (let step = 0; step < 300; step++) {
    const node = `node-${Math.floor(random() * 6)}`;
    if (nodes.delete(node)) for (const [i, owner] of owners.entries()) owners[i] = owner === node ? undefined : owner;
    else nodes.add(node);
    if (nodes.size === 0) continue;
    const members = [...nodes];
    for (let round = 0; round < 4; round++)
      for (const me of members.toSorted(() => random() - 0.5)) turn(owners, members, me);
    const counts = members.map(member => heldBy(owners, member));
    expect(counts.reduce((sum, count) => sum + count)).toBe(16);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  }
});
