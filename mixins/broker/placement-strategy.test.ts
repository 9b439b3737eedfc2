import { expect, test } from "@jest/globals";
import type { ActionEndpoint, Context, ServiceBroker } from "moleculer";
import { PlacementStrategy } from "./placement-strategy.ts";

const action = (placement?: string) => ({ name: "loans.get", ...(placement && { placement }) });
const endpoint = (id: string, options: { placement?: string; local?: boolean; zone?: string } = {}): ActionEndpoint =>
  ({
    id,
    local: options.local ?? false,
    action: action(options.placement),
    node: { id, metadata: options.zone === undefined ? null : { zone: options.zone } },
  }) as unknown as ActionEndpoint;
const strategy = (zone?: string) =>
  new PlacementStrategy({} as never, { metadata: { zone } } as unknown as ServiceBroker, {});
const called = (params: object, tried?: string[]): Context =>
  ({ params, options: { ...(tried && { tried: new Set(tried) }) } }) as unknown as Context;
const ids = Array.from({ length: 500 }, (_, n) => `order-${n}`);
const owners = (nodes: ActionEndpoint[], tried?: string[]): string[] =>
  ids.map(id => strategy().select(nodes, called({ id }, tried)).id);

const placed = ["a", "b", "c", "d"].map(id => endpoint(id, { placement: "id" }));

test("every node sends an actor's calls to the same owner, in whichever order it learnt of the others", () => {
  expect(owners([...placed].reverse())).toEqual(owners(placed));
  expect(new Set(owners(placed)).size).toBe(4);
});

test("without a node, be it gone or its circuit open, only its own actors move", () => {
  const before = owners(placed);
  const after = owners(placed.slice(1));
  for (const [n, owner] of before.entries()) if (owner !== "a") expect(after[n]).toBe(owner);
  expect(new Set(after)).toEqual(new Set(["b", "c", "d"]));
});

test("a node that was tried in vain is the same as one that is not there, unless there is no other", () => {
  expect(owners(placed, ["a"])).toEqual(owners(placed.slice(1)));
  expect(owners(placed, ["a", "b", "c", "d"])).toEqual(owners(placed));
});

test("through the gateway the param is still in the request", () => {
  const [id] = ids;
  const request = called({ req: { $params: { id } } });
  expect(strategy().select(placed, request).id).toBe(owners(placed)[0]);
});

test("a call that needs no owner stays on this node, else in the zone, else anywhere", () => {
  const all = [
    endpoint("here", { local: true }),
    endpoint("near", { zone: "west" }),
    endpoint("far", { zone: "east" }),
  ];
  const chosen = (nodes: ActionEndpoint[], zone?: string) => {
    const round = strategy(zone);
    return new Set(Array.from({ length: 20 }, () => round.select(nodes, called({})).id));
  };
  expect(chosen(all, "west")).toEqual(new Set(["here"]));
  expect(chosen(all.slice(1), "west")).toEqual(new Set(["near"]));
  expect(chosen(all.slice(1), "north")).toEqual(new Set(["near", "far"]));
  expect(chosen(all.slice(1))).toEqual(new Set(["near", "far"]));
});
