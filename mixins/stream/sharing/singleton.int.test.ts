import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { singletonOf } from "../siblings.ts";
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
async function node(transporter: "Fake" | null = "Fake"): Promise<Service> {
  const valence = readEnvironment(databases.env);
  const options = { valence, transporter, nodeID: `node-${brokers.length}`, logger: false } as object;
  const broker = new ServiceBroker(options);
  brokers.push(broker);
  const service = broker.createService({ name: "clocks" });
  await broker.start();
  return service;
}

test("one node of a service holds a kind of work, until it releases it; another node may hold another kind", async () => {
  const [here, there] = await Promise.all([singletonOf(await node(), "timers"), singletonOf(await node(), "timers")]);
  expect(await here.holds()).toBe(true);
  expect(await there.holds()).toBe(false);
  expect(await (await singletonOf(await node(), "watchdog")).holds()).toBe(true);
  await here.release();
  // It has just looked, and does not look again at once.
  expect(await there.holds()).toBe(false);
  const late = await singletonOf(await node(), "timers");
  expect(await late.holds()).toBe(true);
  expect(await here.holds()).toBe(false);
});

test("a process without a transporter holds every kind of work", async () => {
  const alone = await singletonOf(await node(null), "timers");
  expect(await alone.holds()).toBe(true);
  await alone.release();
  expect(await alone.holds()).toBe(true);
});
