// A node that sends one public event to one webhook, and is killed before it notes the answer: `node crash.fixture.ts <url>`.
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "../../broker/index.ts";
import { readEnvironment } from "../../kernel/index.ts";
import { desk, newSource, PUBLIC } from "./house.fixture.ts";

const source = newSource();
const broker = new ServiceBroker({ ...brokerOptions(readEnvironment()), logger: false });
broker.createService(source.schema());
broker.createService(desk());
await broker.start();
await broker.call("desk.addWebhook", { url: process.argv[2]!, events: [PUBLIC] });
source.append("1", "loan.ended", { n: 1 });
