import type { ServiceBroker } from "moleculer";
import { streamEnvironment } from "../environment.ts";
import type { Carrier } from "./carrier.ts";
import { JetStreamCarrier } from "./jetstream.ts";
import { LocalCarrier } from "./local.ts";

export function carrierOf(broker: ServiceBroker): Carrier {
  return streamEnvironment.of(broker).CARRIER === "jetstream" ? new JetStreamCarrier(broker) : new LocalCarrier(broker);
}
