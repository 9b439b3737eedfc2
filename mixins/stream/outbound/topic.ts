// The way of public events to a topic of Kafka: CloudEvents in binary mode, as our own events have it, one actor's in one
// partition and in order. It waits for every copy in sync; while the brokers are away its consumer waits, and nobody else.
import type { ServiceBroker } from "moleculer";
import { plainError } from "../../kernel/index.ts";
import { kafkaHeaders } from "../cloud-events.ts";
import { causeOf, kafkaOf, type KafkaClients } from "../carriers/kafka/connection.ts";
import { Topic } from "../carriers/kafka/topic.ts";
import { streamErrors } from "../errors.ts";
import type { PublicEvent } from "./public-event.ts";

export class PublicTopic {
  readonly #broker: ServiceBroker;
  readonly #topic: Topic;
  /** The clients with which the topic was found or made. */
  #ensured: KafkaClients | undefined;

  constructor(broker: ServiceBroker, name: string) {
    this.#broker = broker;
    this.#topic = new Topic(broker, name);
  }

  /** Throws Unavailable `OUTBOUND_TOPIC_AWAY`; what cannot be sent now is sent later. */
  async publish(event: PublicEvent): Promise<void> {
    const clients = kafkaOf(this.#broker).clients;
    if (!clients) throw this.#away("the brokers do not answer");
    try {
      if (this.#ensured !== clients) await this.#topic.ensure(clients);
      this.#ensured = clients;
      const { kafka, producer } = clients;
      await producer.send({
        messages: [
          {
            topic: this.#topic.name,
            partition: this.#topic.partitionOf(event),
            key: event.attributes["partitionkey"]!,
            value: event.data,
            headers: kafkaHeaders(event),
          },
        ],
        idempotent: true,
        acks: kafka.ProduceAcks.ALL,
        compression: kafka.CompressionAlgorithms.ZSTD,
      });
    } catch (error) {
      // The topic may have been deleted: it is looked for again.
      this.#ensured = undefined;
      throw this.#away(causeOf(error) || plainError(error).message);
    }
  }

  #away(problem: string): Error {
    return streamErrors.OUTBOUND_TOPIC_AWAY({ topic: this.#topic.name, problem });
  }
}
