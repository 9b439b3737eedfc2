import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { readEnvironment, stopTimeLeft } from "../../kernel/index.ts";
import { brokerOptions } from "../index.ts";

const hanging: AbortController[] = [];
afterEach(() => hanging.splice(0).forEach(one => one.abort()));

/** Resolves when the test is over. */
function forever(): Promise<void> {
  const end = new AbortController();
  hanging.push(end);
  return sleep(60_000, undefined, { signal: end.signal }).catch(() => {});
}

async function started(timeoutMs: number): Promise<ServiceBroker> {
  const environment = readEnvironment({ SHUTDOWN_TIMEOUT_MS: `${timeoutMs}` });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  broker.createService({ name: "slow", actions: { call: () => forever() } });
  await broker.start();
  return broker;
}

async function msOf(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work;
  return performance.now() - began;
}

test("all waits of a stop share one time-out", async () => {
  const broker = await started(3_000);
  const left: number[] = [];
  // As the gateway does, which stops first.
  broker.middlewares.add({ name: "First", stopping: () => sleep(2_100) });
  broker.createService({ name: "last", stopped: async () => void left.push(stopTimeLeft(broker)) });
  await broker.waitForServices("last");
  broker.call("slow.call").catch(() => {});
  expect(stopTimeLeft(broker)).toBe(3_000);
  // With the whole time-out for each service they would take 5,100 ms.
  expect(await msOf(broker.stop())).toBeLessThan(4_800);
  expect(left[0]).toBeLessThanOrEqual(900);
});

test("a stop that is asked for twice is one stop", async () => {
  const broker = await started(1_000);
  let stops = 0;
  broker.middlewares.add({ name: "Count", stopping: async () => void stops++ });
  await Promise.all([broker.stop(), broker.stop()]);
  expect(stops).toBe(1);
});

test("a stop that hangs is given up in the end", async () => {
  const broker = await started(100);
  broker.createService({ name: "stuck", stopped: forever });
  await broker.waitForServices("stuck");
  expect(await msOf(broker.stop())).toBeLessThan(8_000);
});
