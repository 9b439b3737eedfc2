// A node of a test's cluster: a process of its own, configured by its environment like any broker of the runtime.
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { readEnvironment } from "@valence/runtime/kernel";
import { nodes, readers, tallies } from "./tallies.fixture.ts";

const broker = new ServiceBroker(brokerOptions(readEnvironment()));
broker.createService(tallies);
broker.createService(nodes);
if (process.env["READERS"]) broker.createService(readers);
await broker.start();
console.log("started");
