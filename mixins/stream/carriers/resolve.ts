// Which carrier feeds the consumers of a broker: the environment decides.
import type { ServiceBroker } from "moleculer";
import { environmentOf } from "../../kernel/index.ts";
import type { Carrier } from "./carrier.ts";
import { JetStreamCarrier } from "./jetstream.ts";
import { LocalCarrier } from "./local.ts";

export function carrierOf(broker: ServiceBroker): Carrier {
  return environmentOf(broker).carrier === "jetstream" ? new JetStreamCarrier(broker) : new LocalCarrier(broker);
}
