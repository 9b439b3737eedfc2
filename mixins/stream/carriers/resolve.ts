import type { ServiceBroker } from "moleculer";
import { streamEnvironment } from "../environment.ts";
import type { Carrier } from "./carrier.ts";
import { JetStreamCarrier } from "./jetstream.ts";
import { LocalCarrier } from "./local.ts";
import { SharedCarrier } from "./shared.ts";

const carriers = new WeakMap<ServiceBroker, Carrier>();

/** The carrier of a broker: one, so that its services share the readers of logs. */
export function carrierOf(broker: ServiceBroker): Carrier {
  let carrier = carriers.get(broker);
  if (!carrier) {
    const isJetStream = streamEnvironment.of(broker).CARRIER === "jetstream";
    carrier = new SharedCarrier(isJetStream ? new JetStreamCarrier(broker) : new LocalCarrier(broker));
    carriers.set(broker, carrier);
  }
  return carrier;
}
