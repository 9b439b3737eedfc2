// The way of public events to a topic of Kafka: CloudEvents in binary mode, as our own events have it, one actor's in one
// partition and in order. It waits for every copy in sync; while the brokers are away its consumer waits, and nobody else.
import type { ServiceBroker } from "moleculer";
import { plainError } from "../../kernel/index.ts";
import { causeOf, kafkaOf, type KafkaClients, type KafkaConnection } from "../carriers/kafka/connection.ts";
import { Topic } from "../carriers/kafka/topic.ts";
import { kafkaHeaders } from "../cloud-events.ts";
import { streamErrors } from "../errors.ts";
import type { PublicEvent } from "./public-event.ts";

/** Bytes that are sent at once: the client makes one batch of each partition's, and brokers take a million a batch. */
const SEND_BYTES = 900_000;
/** The headers of a record, about. */
const HEADERS_BYTES = 1_000;

interface Waiting {
  readonly event: PublicEvent;
  readonly sent: PromiseWithResolvers<void>;
}

export class PublicTopic {
  readonly #connection: KafkaConnection;
  readonly #topic: Topic;
  /** Events of streams that are handled side by side: those that wait while others are sent go together. */
  readonly #waiting: Waiting[] = [];
  #isSending = false;
  /** The clients with which the topic was found or made. */
  #ensured: KafkaClients | undefined;

  constructor(broker: ServiceBroker, name: string) {
    this.#connection = kafkaOf(broker);
    this.#topic = new Topic(broker, name);
  }

  /** Rejects with Unavailable `OUTBOUND_TOPIC_AWAY`: the event is to be sent later. */
  publish(event: PublicEvent): Promise<void> {
    const sent = Promise.withResolvers<void>();
    this.#waiting.push({ event, sent });
    if (!this.#isSending) void this.#sendAll();
    return sent.promise;
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.length > 0) {
      const some = this.#portion();
      try {
        await this.#send(some.map(({ event }) => event));
        for (const { sent } of some) sent.resolve();
      } catch (error) {
        for (const { sent } of some) sent.reject(error);
      }
    }
    this.#isSending = false;
  }

  /** The events that wait longest, as many as may be sent at once. */
  #portion(): Waiting[] {
    let room = SEND_BYTES;
    const beyond = this.#waiting.findIndex(
      ({ event }, i) => (room -= Buffer.byteLength(event.data) + HEADERS_BYTES) < 0 && i > 0,
    );
    return this.#waiting.splice(0, beyond === -1 ? Infinity : beyond);
  }

  async #send(events: readonly PublicEvent[]): Promise<void> {
    const { clients } = this.#connection;
    if (!clients) throw this.#away("the brokers do not answer");
    try {
      if (this.#ensured !== clients) await this.#topic.ensure(clients);
      this.#ensured = clients;
      const { kafka, producer } = clients;
      await producer.send({
        messages: events.map(event => ({
          topic: this.#topic.name,
          partition: this.#topic.partitionOf(event),
          key: event.attributes["partitionkey"]!,
          value: event.data,
          headers: kafkaHeaders(event),
        })),
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
