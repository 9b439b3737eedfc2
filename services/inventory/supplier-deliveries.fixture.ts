// A node with stock and its products, for tests that kill it: `node supplier-deliveries.fixture.ts`.
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { readEnvironment } from "@valence/runtime/kernel";
import catalog from "../catalog/catalog.service.ts";
import inventory from "./inventory.service.ts";

const broker = new ServiceBroker({ ...brokerOptions(readEnvironment()), logger: false });
for (const schema of [catalog, inventory]) broker.createService(schema);
await broker.start();
