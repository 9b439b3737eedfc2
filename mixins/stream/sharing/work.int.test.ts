import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { shareWork, singletonOf } from "../siblings.ts";
import { until } from "../../testing/index.ts";
import { readEnvironment } from "../../kernel/index.ts";
import { newDatabases, type Databases } from "../../testing/servers.ts";
import { ServiceBroker, type Service } from "moleculer";

let databases: Databases;
const brokers: ServiceBroker[] = [];
beforeEach(async () => {
  databases = await newDatabases();
});
afterEach(async () => {
  await Promise.all(brokers.splice(0).map(broker => broker.stop()));
  await databases.remove();
});

/** The service on one more node, with or without a transporter. */
async function node(transporter: "Fake" | null = "Fake", env: Record<string, string> = {}): Promise<Service> {
  const valence = readEnvironment({ ...databases.env, ...env });
  const options = { valence, transporter, nodeID: `node-${brokers.length}`, logger: false } as object;
  const broker = new ServiceBroker(options);
  brokers.push(broker);
  const service = broker.createService({ name: "clocks" });
  await broker.start();
  return service;
}

test("one node of a service holds a kind of work, until it releases it; another node may hold another kind", async () => {
  const [here, there] = await Promise.all([singletonOf(await node(), "relay"), singletonOf(await node(), "relay")]);
  expect(await here.holds()).toBe(true);
  expect(await there.holds()).toBe(false);
  expect(await (await singletonOf(await node(), "audit")).holds()).toBe(true);
  await here.release();
  // It has just looked, and does not look again at once.
  expect(await there.holds()).toBe(false);
  const late = await singletonOf(await node(), "relay");
  expect(await late.holds()).toBe(true);
  expect(await here.holds()).toBe(false);
});

test("a process without a transporter holds every kind of work", async () => {
  const alone = await singletonOf(await node(null), "relay");
  expect(await alone.holds()).toBe(true);
  await alone.release();
  expect(await alone.holds()).toBe(true);
});

/** A node that shares the work, and the partitions that it has. */
async function sharing(service: Service, limits?: Parameters<typeof shareWork>[3]) {
  const own = { partitions: new Set() as ReadonlySet<number>, of: 0 };
  const work = await shareWork(
    service,
    "timers",
    async (partitions, of) => void Object.assign(own, { partitions, of }),
    limits,
  );
  return { own, ...work };
}

test("nodes that share a work have a part each; one that leaves gives its part back, and the owners are told", async () => {
  const here = await sharing(await node());
  await until(() => here.own.partitions.size === 16);
  const there = await sharing(await node());
  await until(() => here.own.partitions.size === 8 && there.own.partitions.size === 8);
  expect(here.own.partitions.isDisjointFrom(there.own.partitions)).toBe(true);
  const owners = await here.owners();
  expect(owners.filter(owner => owner === "node-0")).toHaveLength(8);
  expect(owners.filter(owner => owner === "node-1")).toHaveLength(8);
  await here.end();
  expect(here.own.partitions.size).toBe(0);
  await until(() => there.own.partitions.size === 16);
  await there.end();
});

test("a node that has lost its connection to the bus leaves its part to the others, until it is back", async () => {
  const limits = { leaseMs: 1_000, lookMs: 50 };
  const cutOff = await node();
  const [here, there] = [await sharing(cutOff, limits), await sharing(await node(), limits)];
  await until(() => here.own.partitions.size === 8 && there.own.partitions.size === 8);
  const { tx } = cutOff.broker.transit as unknown as { tx: { connected: boolean } };
  tx.connected = false;
  await until(() => here.own.partitions.size === 0 && there.own.partitions.size === 16);
  tx.connected = true;
  await until(() => here.own.partitions.size === 8 && there.own.partitions.size === 8);
  await here.end();
  await there.end();
});

test("a release that did the work on one node takes turns with them, and so do nodes of another number of partitions", async () => {
  const before = await singletonOf(await node(), "timers");
  expect(await before.holds()).toBe(true);
  const of16 = await sharing(await node());
  const of4 = await sharing(await node("Fake", { PARTITIONS: "4" }));
  await sleep(300);
  expect([of16.own.partitions.size, of4.own.partitions.size]).toEqual([0, 0]);
  await before.release();
  await until(() => of16.own.partitions.size + of4.own.partitions.size > 0);
  const [first, second] = of16.own.partitions.size > 0 ? [of16, of4] : [of4, of16];
  await sleep(300);
  expect(second.own.partitions.size).toBe(0);
  const late = await singletonOf(await node(), "timers");
  expect(await late.holds()).toBe(false);
  await first.end();
  await until(() => second.own.of > 0 && second.own.partitions.size === second.own.of);
  await second.end();
  // It looks again a while after it has looked in vain.
  await until(() => late.holds());
  await late.release();
});

test("a process without a transporter has all of a work", async () => {
  const alone = await sharing(await node(null));
  expect([alone.own.partitions.size, alone.count]).toEqual([16, 16]);
  expect(await alone.owners()).toEqual(Array.from({ length: 16 }, () => "node-0"));
  await alone.end();
  expect(alone.own.partitions.size).toBe(0);
});
