import type { ServiceBroker } from "moleculer";
import { nodeEnvironment } from "../../../kernel/index.ts";
import { kafkaEnvironment, streamEnvironment } from "../../environment.ts";
import type { Ingress } from "../define-ingress.ts";
import type { Inlet } from "./inlet.ts";
import { JetStreamInlet } from "./jetstream.ts";
import { KafkaInlet } from "./kafka.ts";

/**
 * The way in of an ingress: by the bus that carries the system's own events, if the ingress names a place there, else by another
 * one that is configured. Undefined where none is: then the ingress is off.
 */
export function inletOf(broker: ServiceBroker, { from: { kafka, jetstream } }: Ingress): Inlet | undefined {
  const { CARRIER } = streamEnvironment.of(broker);
  const hasKafka = kafkaEnvironment.of(broker).KAFKA_BROKERS !== undefined;
  // A system that moves its events locally may be on a NATS server without JetStream.
  const hasJetStream = nodeEnvironment.of(broker).NATS_URL !== undefined && CARRIER !== "local";
  const byKafka = hasKafka && kafka !== undefined;
  if (jetstream !== undefined && hasJetStream && !(byKafka && CARRIER === "kafka"))
    return new JetStreamInlet(broker, jetstream);
  return byKafka ? new KafkaInlet(broker, kafka) : undefined;
}

/** The variables that would turn an ingress on. */
export const buses = ({ from: { kafka, jetstream } }: Ingress): string =>
  [...(kafka === undefined ? [] : ["KAFKA_BROKERS"]), ...(jetstream === undefined ? [] : ["NATS_URL"])].join(" or ");
