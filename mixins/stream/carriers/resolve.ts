import type { ServiceBroker } from "moleculer";
import { streamEnvironment } from "../environment.ts";
import type { Carrier } from "./carrier.ts";
import { JetStreamCarrier } from "./jetstream.ts";
import { KafkaCarrier } from "./kafka.ts";
import { LocalCarrier } from "./local.ts";

const CARRIERS = { local: LocalCarrier, jetstream: JetStreamCarrier, kafka: KafkaCarrier };

export function carrierOf(broker: ServiceBroker): Carrier {
  return new CARRIERS[streamEnvironment.of(broker).CARRIER](broker);
}
