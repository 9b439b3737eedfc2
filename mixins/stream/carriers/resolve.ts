import type { ServiceBroker } from "moleculer";
import { streamEnvironment } from "../environment.ts";
import type { Carrier } from "./carrier.ts";
import { JetStreamCarrier } from "./jetstream.ts";
import { KafkaCarrier } from "./kafka.ts";
import { LocalCarrier } from "./local.ts";
import { SharedCarrier } from "./shared.ts";

const CARRIERS = { local: LocalCarrier, jetstream: JetStreamCarrier, kafka: KafkaCarrier };
const carriers = new WeakMap<ServiceBroker, Carrier>();

/** The carrier of a broker: one, so that its services share the readers of logs. */
export function carrierOf(broker: ServiceBroker): Carrier {
  let carrier = carriers.get(broker);
  if (!carrier) {
    carrier = new SharedCarrier(new CARRIERS[streamEnvironment.of(broker).CARRIER](broker));
    carriers.set(broker, carrier);
  }
  return carrier;
}
