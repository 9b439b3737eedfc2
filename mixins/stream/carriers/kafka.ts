// The carrier for brokers with Apache Kafka: the relay of each owner reads the log once and publishes it to the owner's topic,
// which feeds our consumers and readers outside alike. Our place in the log is one of the log, as with any carrier; offsets of
// Kafka only say where a tail goes on.
import type { ServiceBroker } from "moleculer";
import type { LogCarrier, LogFeed, Place } from "./carrier.ts";
import { kafkaOf } from "./kafka/connection.ts";
import { KafkaTail } from "./kafka/tail.ts";
import { Topic } from "./kafka/topic.ts";
import { logOf } from "./local.ts";
import { feedCounters, RelayedFeed } from "./relayed-feed.ts";

export class KafkaCarrier implements LogCarrier {
  readonly #broker: ServiceBroker;
  readonly #feeds = new Set<RelayedFeed>();
  constructor(broker: ServiceBroker) {
    this.#broker = broker;
  }

  open(source: string, { cursor, mark }: Place): LogFeed {
    const topic = new Topic(this.#broker, source).name;
    const connection = kafkaOf(this.#broker);
    const feed = new RelayedFeed(
      source,
      cursor,
      mark,
      logOf(this.#broker, source),
      onChange =>
        connection.clients &&
        new KafkaTail(connection.clients, topic, onChange, error => connection.reads(topic, error)),
      { count: feedCounters(this.#broker, source), onClose: () => this.#feeds.delete(feed) },
    );
    this.#feeds.add(feed);
    return feed;
  }

  wake(source: string): void {
    for (const feed of this.#feeds) if (feed.source === source) feed.wake();
  }
}
