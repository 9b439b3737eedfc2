import { expect, test } from "@jest/globals";
import { existsSync } from "node:fs";
import type { ServiceSchema } from "moleculer";
import { newBrokers, startBroker } from "./broker.ts";

let stops = 0;
const greeter: ServiceSchema = {
  name: "greeter",
  actions: { hello: () => "hello" },
  stopped: () => void stops++,
};

test("a broker is there with its services, and is gone with its databases", async () => {
  const { broker, stop } = await startBroker([greeter], { NODEID: "alone" });
  expect([broker.nodeID, await broker.call("greeter.hello")]).toEqual(["alone", "hello"]);
  await Promise.all([stop(), stop()]);
  expect(stops).toBe(1);
});

test("brokers share databases and have names of their own; one that has left is not stopped again", async () => {
  stops = 0;
  const { databases, start, stop } = await newBrokers();
  const [first, second] = [await start(greeter), await start(greeter)];
  expect([first.nodeID, second.nodeID]).toEqual(["node-1", "node-2"]);
  expect(existsSync(databases.folder)).toBe(true);
  await first.stop();
  await stop();
  expect([stops, existsSync(databases.folder)]).toEqual([2, false]);
});
