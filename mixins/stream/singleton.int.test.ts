import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ServiceBroker, type Service } from "moleculer";
import { newDatabases, type Databases } from "../testing/databases.ts";
import { readEnvironment } from "../kernel/index.ts";
import { singletonOf } from "./mixin.ts";

let databases: Databases;
const brokers: ServiceBroker[] = [];
beforeEach(async () => {
  databases = await newDatabases();
});
afterEach(async () => {
  await Promise.all(brokers.splice(0).map(broker => broker.stop()));
  await databases.remove();
});

/** The service on one more node, with or without others in reach. */
async function node(transporter: "Fake" | null = "Fake"): Promise<Service> {
  const valence = readEnvironment(databases.env);
  const options = { valence, transporter, nodeID: `node-${brokers.length}`, logger: false } as object;
  const broker = new ServiceBroker(options);
  brokers.push(broker);
  const service = broker.createService({ name: "clocks" });
  await broker.start();
  return service;
}

test("of the nodes of a service one holds a kind of work, until it leaves it; another kind may be another's", async () => {
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

test("a process on its own holds everything", async () => {
  const alone = await singletonOf(await node(null), "timers");
  expect(await alone.holds()).toBe(true);
  await alone.release();
  expect(await alone.holds()).toBe(true);
});
