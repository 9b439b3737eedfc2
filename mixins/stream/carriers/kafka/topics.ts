// The topics of a broker's services, and their making before a roll-out.
import type { ServiceBroker } from "moleculer";
import { kafkaEnvironment, streamEnvironment } from "../../environment.ts";
import { streamUses } from "../jetstream/streams.ts";
import { ingressesIn } from "../../ingress/announced.ts";
import { closeClients, kafkaClients, kafkaOptions } from "./connection.ts";
import { problemOf } from "./problems.ts";
import { Topic } from "./topic.ts";

/** The topics: of events where Kafka carries them, of public events, and those from outside, whose messages ingresses take. */
function topicsOf(broker: ServiceBroker): Topic[] {
  if (kafkaEnvironment.of(broker).KAFKA_BROKERS === undefined) return [];
  const isCarrier = streamEnvironment.of(broker).CARRIER === "kafka";
  const owned = isCarrier ? streamUses(broker).flatMap(({ owns }) => owns) : [];
  const listed = broker.services.map(({ metadata }) => metadata);
  const outbounds = listed.flatMap(({ publicEvents = {} }) =>
    Object.values(publicEvents as Record<string, { readonly topic?: string }>),
  );
  const own = [...new Set([...owned, ...outbounds.flatMap(({ topic }) => topic ?? [])])];
  const foreign = listed.flatMap(({ ingresses }) => ingressesIn(ingresses).flatMap(([, { kafka }]) => kafka ?? []));
  return [...own.map(name => new Topic(broker, name)), ...foreign.map(name => new Topic(broker, name, true))];
}

/**
 * Makes the topics of a broker's services, or gives those that are there today's settings. `onDone` is told each. Does nothing
 * where no Kafka is named. Rejects with an Error that says why Kafka cannot be used, with TOPIC_PARTITIONS, and
 * with TOPIC_MISSING when the user may not make a topic.
 */
export async function makeTopics(broker: ServiceBroker, onDone: (topic: string) => void): Promise<void> {
  const topics = topicsOf(broker);
  if (topics.length === 0) return;
  const clients = await kafkaClients(kafkaOptions(broker, broker.nodeID)).catch((error: unknown) => {
    const { message, advice } = problemOf(error);
    throw new Error(`${message} → ${advice}`, { cause: error });
  });
  try {
    for (const topic of topics) {
      await topic.ensure(clients);
      onDone(topic.name);
    }
  } finally {
    await closeClients(clients);
  }
}
