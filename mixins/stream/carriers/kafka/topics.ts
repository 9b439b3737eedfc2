// The topics of a broker's services, and their making before a roll-out.
import type { ServiceBroker } from "moleculer";
import { streamEnvironment } from "../../environment.ts";
import { streamUses } from "../jetstream/streams.ts";
import { closeClients, kafkaClients, kafkaOptions } from "./connection.ts";
import { problemOf } from "./problems.ts";
import { Topic } from "./topic.ts";

/**
 * Makes the topics of a broker's services, or gives those that are there today's settings. `onDone` is told each. Does nothing
 * where another carrier moves the events. Rejects with an Error that says why Kafka cannot be used, with TOPIC_PARTITIONS, and
 * with TOPIC_MISSING when the user may not make a topic.
 */
export async function makeTopics(broker: ServiceBroker, onDone: (topic: string) => void): Promise<void> {
  if (streamEnvironment.of(broker).CARRIER !== "kafka") return;
  const clients = await kafkaClients(kafkaOptions(broker, broker.nodeID)).catch((error: unknown) => {
    const { message, advice } = problemOf(error);
    throw new Error(`${message} → ${advice}`, { cause: error });
  });
  try {
    for (const source of streamUses(broker).flatMap(({ owns }) => owns)) {
      const topic = new Topic(broker, source);
      await topic.ensure(clients);
      onDone(topic.name);
    }
  } finally {
    await closeClients(clients);
  }
}
