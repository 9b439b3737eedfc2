// The topics of a broker's services, and their making before a roll-out.
import type { ServiceBroker } from "moleculer";
import { kafkaEnvironment, streamEnvironment } from "../../environment.ts";
import { streamUses } from "../jetstream/streams.ts";
import { ingressesIn } from "../../ingress/announced.ts";
import { closeClients, kafkaClients, kafkaOptions } from "./connection.ts";
import { problemOf } from "./problems.ts";
import { Topic } from "./topic.ts";

/** Names of topics, without the namespace: of events where Kafka carries them, and of public events where there is a Kafka. */
function topicsOf(broker: ServiceBroker): string[] {
  if (kafkaEnvironment.of(broker).KAFKA_BROKERS === undefined) return [];
  const isCarrier = streamEnvironment.of(broker).CARRIER === "kafka";
  const owned = isCarrier ? streamUses(broker).flatMap(({ owns }) => owns) : [];
  const outbounds = broker.services.flatMap(({ metadata }) =>
    Object.values((metadata["publicEvents"] ?? {}) as Record<string, { readonly topic?: string }>),
  );
  return [...new Set([...owned, ...outbounds.flatMap(({ topic }) => topic ?? [])])];
}

/**
 * Makes the topics of a broker's services, or gives those that are there today's settings. `onDone` is told each. Does nothing
 * where no Kafka is named. Rejects with an Error that says why Kafka cannot be used, with TOPIC_PARTITIONS, and
 * with TOPIC_MISSING when the user may not make a topic.
 */
export async function makeTopics(broker: ServiceBroker, onDone: (topic: string) => void): Promise<void> {
  const names = topicsOf(broker);
  if (names.length === 0) return;
  const clients = await kafkaClients(kafkaOptions(broker, broker.nodeID)).catch((error: unknown) => {
    const { message, advice } = problemOf(error);
    throw new Error(`${message} → ${advice}`, { cause: error });
  });
  try {
    for (const name of names) {
      const topic = new Topic(broker, name);
      await topic.ensure(clients);
      onDone(topic.name);
    }
    for (const name of broker.services.flatMap(({ metadata }) => topicsFrom(metadata["ingresses"]))) {
      await new Topic(broker, name, true).ensure(clients);
      onDone(name);
    }
  } finally {
    await closeClients(clients);
  }
}

/** Topics from outside, whose messages the ingresses of a service take. */
const topicsFrom = (ingresses: unknown): string[] => ingressesIn(ingresses).flatMap(([, { kafka }]) => kafka ?? []);
