// A node of a cluster in which two releases of a domain run side by side; RELEASE names the module of the one it has.
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { readEnvironment } from "@valence/runtime/kernel";

const { RELEASE, ...environment } = process.env;
const { services } = (await import(RELEASE!)) as { services: readonly ServiceSchema[] };
const broker = new ServiceBroker(brokerOptions(readEnvironment(environment)));
for (const service of services) broker.createService(service);
await broker.start();
console.log("started");
