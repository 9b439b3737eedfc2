import { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { until } from "../testing/index.ts";
import { SAGA_LIMITS } from "./limits.ts";
import { Watchdog } from "./watchdog.ts";

const limits = { ...SAGA_LIMITS, watchdogMs: 20, lostAfterMs: 60, orphanedAfterMs: 10_000 };
const nodeWith = (...names: string[]) => ({
  id: "other",
  local: false,
  services: names.map(name => ({ name, fullName: name })),
});

test("P5 what a lost node had in hand is found, also what moved just before and what it left in order", async () => {
  const asked: { at: number; olderThanMs: number }[] = [];
  const localBus = new EventEmitter();
  const broker = { transit: {}, localBus, registry: { nodes: { toArray: () => [] } }, isMetricsEnabled: () => false };
  const store = {
    sagas: async ({ olderThanMs }: { olderThanMs: number }) => {
      asked.push({ at: performance.now(), olderThanMs });
      return [];
    },
  };
  const driver = { store, refOf: () => undefined, has: () => false, isFull: false, metForeign: () => false };
  const singleton = { holds: async () => true, release: async () => {} };
  const watchdog = new Watchdog(driver as never, singleton, broker as never, "fulfilment", limits);
  try {
    const isCalm = (): boolean => asked.at(-1)?.olderThanMs === limits.orphanedAfterMs;
    await until("the first rounds are over", isCalm);

    localBus.emit("$node.connected", { node: nodeWith("fulfilment") });
    // As a node that leaves does: first it offers nothing more, then it is gone.
    localBus.emit("$node.updated", { node: nodeWith() });
    const lostAt = performance.now();
    localBus.emit("$node.disconnected", { node: nodeWith() });
    // By then what moved just before the node was lost has been still for long enough.
    await until("a round that finds all it had in hand", () =>
      asked.some(({ at, olderThanMs }) => at - lostAt > limits.lostAfterMs && olderThanMs === limits.lostAfterMs),
    );
    await until("the hurry is over", isCalm);
  } finally {
    await watchdog.stop();
  }
});

test("P5 a node that meets sagas of another release leaves the watch to others, once in a while, if there are any", async () => {
  const localBus = new EventEmitter();
  const broker = { transit: {}, localBus, registry: { nodes: { toArray: () => [] } }, isMetricsEnabled: () => false };
  let [held, released, isForeign] = [0, 0, false];
  const singleton = { holds: async () => ++held > 0, release: async () => void released++ };
  // A row of a saga that this release does not have is as foreign as one whose journal it does not understand.
  let rows = [{ id: "gone.1" }];
  const store = { sagas: async () => rows };
  const metForeign = (): boolean => isForeign;
  const driver = { store, refOf: () => undefined, has: () => false, isFull: false, metForeign };
  const rare = { ...limits, yieldMs: 200, yieldEveryMs: 100_000 };
  const watchdog = new Watchdog(driver as never, singleton, broker as never, "fulfilment", rare);
  try {
    await until("it watches", () => held > 1);
    expect(released).toBe(0);
    localBus.emit("$node.connected", { node: nodeWith("fulfilment") });
    await until("it leaves the watch to the other", () => released === 1);
    const [before, leftAt] = [held, performance.now()];
    await sleep(3 * limits.watchdogMs);
    // On a machine that did not run us for so long it may watch again already.
    if (performance.now() - leftAt < rare.yieldMs / 2) expect(held).toBe(before);
    rows = [];
    isForeign = true;
    await until("it watches again", () => held > before + 1);
    expect(released).toBe(1);
  } finally {
    await watchdog.stop();
  }
});
