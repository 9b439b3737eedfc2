import { EventEmitter } from "node:events";
import { afterEach, expect, test } from "@jest/globals";
import { until } from "../testing/index.ts";
import type { Saga } from "./define-saga.ts";
import type { SagaRef } from "./driver.ts";
import { SAGA_LIMITS } from "./limits.ts";
import { SagaShare } from "./share.ts";
import { Watchdog } from "./watchdog.ts";

const saga = { name: "fulfilment", startedBy: "wish.made" } as Saga;
const limits = { ...SAGA_LIMITS, watchdogMs: 20, lostAfterMs: 60, orphanedAfterMs: 10_000, rows: 3 };
const all = new Set(Array.from({ length: 16 }, (_, partition) => partition));
const nodeWith = (id: string, ...names: string[]) => ({
  id,
  local: false,
  services: names.map(name => ({ name, fullName: name })),
});
const refOf = (key: string): SagaRef => ({ saga, id: key.slice(key.indexOf(".") + 1), key });
const keys = (count: number): string[] => Array.from({ length: count }, (_, n) => `fulfilment.w${n}`);

let watchdog: Watchdog | undefined;
afterEach(() => watchdog?.stop());

/** A watchdog on open sagas of these keys, with a driver that has room for so many. */
function watch({ open = [] as string[], room = Infinity } = {}) {
  const share = new SagaShare({ count: 16, ownerOf: async () => undefined });
  const localBus = new EventEmitter();
  const broker = { localBus, registry: { nodes: { toArray: () => [] } }, logger: { warn: () => {} } };
  const seen = {
    localBus,
    share,
    asked: [] as { at: number; olderThanMs: number }[],
    driven: new Set<string>(),
    room,
    foreign: [] as string[],
    offers: [] as [string, readonly string[]][],
    taken: (_node: string, ids: readonly string[]): readonly string[] => ids,
  };
  const store = {
    async sagas({ state, olderThanMs, after, limit }: Record<string, any>) {
      if (state === "running") seen.asked.push({ at: performance.now(), olderThanMs });
      const from = after === undefined ? 0 : open.indexOf(after) + 1;
      // None of them is without progress for long.
      return state === "running" && olderThanMs === 0 ? open.slice(from, from + limit).map(id => ({ id })) : [];
    },
  };
  const driver = {
    store,
    refOf,
    has: (key: string) => seen.driven.has(key),
    drive: ({ key }: SagaRef) => void (seen.driven.size < seen.room && seen.driven.add(key)),
    get isFull() {
      return seen.driven.size >= seen.room;
    },
    isOurs: (ref: SagaRef) => share.isOurs(ref),
    partitionOf: (ref: SagaRef) => share.partitionOf(ref),
    serve: (of: Saga, partitions: ReadonlySet<number>) => ({
      ...share.hold(of, partitions),
      isLeft: Promise.resolve(),
    }),
    foreign: () => seen.foreign.splice(0),
    offer: async (node: string, ids: readonly string[]) => (seen.offers.push([node, ids]), seen.taken(node, ids)),
  };
  watchdog = new Watchdog(driver as never, broker as never, "fulfilment", limits);
  return { ...seen, seen, watchdog };
}

test("P5 what a node that was lost drove of others' partitions is found, also what moved just before", async () => {
  const { asked, localBus } = watch();
  const isCalm = (): boolean => asked.at(-1)?.olderThanMs === limits.orphanedAfterMs;
  await until("the first rounds are over", isCalm);

  localBus.emit("$node.connected", { node: nodeWith("other", "fulfilment") });
  // As a node that leaves does: first it offers nothing more, then it is gone.
  localBus.emit("$node.updated", { node: nodeWith("other") });
  const lostAt = performance.now();
  localBus.emit("$node.disconnected", { node: nodeWith("other") });
  // By then what moved just before the node was lost has been still for long enough.
  await until("a round that finds all it had in hand", () =>
    asked.some(({ at, olderThanMs }) => at - lostAt > limits.lostAfterMs && olderThanMs === limits.lostAfterMs),
  );
  await until("the hurry is over", isCalm);
});

test("P5 of a partition that comes every open saga is driven at once, and of no other", async () => {
  const open = keys(40);
  const { share, driven, watchdog } = watch({ open });
  const of = (partitions: ReadonlySet<number>): string[] =>
    open.filter(key => partitions.has(share.partitionOf(refOf(key))));
  const [some, more] = [new Set([1, 2, 3]), new Set([1, 2, 3, 4, 5, 6])];
  expect(of(some).length).toBeGreaterThan(0);
  await watchdog.serve(saga, some);
  await until("those of the first partitions", () => [...driven].join() === of(some).join());
  driven.clear();
  await watchdog.serve(saga, more);
  await until("those of the new ones alone", () => [...driven].join() === of(more.difference(some)).join());
});

test("P5 what a driver has no room for is driven in the rounds after it", async () => {
  const open = keys(20);
  const { driven, seen, watchdog } = watch({ open, room: 7 });
  await watchdog.serve(saga, all);
  await until(() => driven.size === 7);
  const first = [...driven];
  // The first have ended.
  open.splice(0, 7);
  driven.clear();
  await until(() => driven.size === 7);
  expect([...driven].filter(key => first.includes(key))).toEqual([]);
  seen.room = Infinity;
  await until(() => driven.size === 13);
});

test("P5 a saga of another release is offered to the other nodes, and to none further once one has taken it", async () => {
  const { localBus, seen, offers } = watch();
  for (const id of ["old", "young", "idle"]) localBus.emit("$node.connected", { node: nodeWith(id, "fulfilment") });
  seen.taken = (node, ids) => (node === "young" ? ids : []);
  seen.foreign.push("fulfilment.w1", "fulfilment.w2");
  await until(() => offers.length === 2);
  const both = ["fulfilment.w1", "fulfilment.w2"];
  expect(offers).toEqual([
    ["old", both],
    ["young", both],
  ]);
});
