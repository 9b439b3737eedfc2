import type { ServiceBroker } from "moleculer";
import { streamEnvironment } from "../environment.ts";
import { isOfJournals } from "../log/registry.ts";
import type { Carrier, LogCarrier } from "./carrier.ts";
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
    carrier = new SharedCarrier(withJournals(new CARRIERS[streamEnvironment.of(broker).CARRIER](broker), broker));
    carriers.set(broker, carrier);
  }
  return carrier;
}

/** Journals of sagas are published to no carrier: their one reader reads them at their owner. */
function withJournals(carrier: LogCarrier, broker: ServiceBroker): LogCarrier {
  if (carrier instanceof LocalCarrier) return carrier;
  const local = new LocalCarrier(broker);
  return {
    open: (source, place) => (isOfJournals(source) ? local : carrier).open(source, place),
    wake: source => carrier.wake(source),
  };
}
