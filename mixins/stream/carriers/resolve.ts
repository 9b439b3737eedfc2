// Which carrier: the environment says.
import type { Service, ServiceBroker } from "moleculer";
import { environmentOf } from "../../kernel/index.ts";
import type { Carrier } from "./carrier.ts";
import { JetStreamCarrier } from "./jetstream.ts";
import { Channel } from "./jetstream/channel.ts";
import { connectionOf } from "./jetstream/connection.ts";
import { JetStreamRelay, type OwnLog, type RelayLimits } from "../publish/jetstream-relay.ts";
import { LocalCarrier } from "./local.ts";

/** What publishes the log of a service to its carrier. */
export interface Publisher {
  /** What the pages of the log say of it: see LogPage. */
  readonly origin: string;
  /** There may be something new in the log. */
  wake(): void;
  stop(): Promise<void>;
}

/** What feeds the consumers of a broker. */
export function carrierOf(broker: ServiceBroker): Carrier {
  return environmentOf(broker).carrier === "jetstream" ? new JetStreamCarrier(broker) : new LocalCarrier(broker);
}

/** Starts to publish a service's log, if its carrier needs that. */
export async function publishLog(
  service: Service,
  log: OwnLog,
  limits: Partial<RelayLimits> = {},
): Promise<Publisher | undefined> {
  const { carrier, namespace } = environmentOf(service.broker);
  if (carrier !== "jetstream") return undefined;
  const channel = new Channel(namespace, service.fullName);
  return JetStreamRelay.start(service, log, connectionOf(service.broker), channel, limits);
}
