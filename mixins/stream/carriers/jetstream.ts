// The carrier for brokers on NATS: the relay of each owner reads the log once and publishes it to JetStream, which feeds
// every consumer. It costs the owner's database one read of the log, however many consumers there are.
//
// A feed follows all of an owner's events, of whichever partition: one of its own for each partition would read the log
// sixteen times after each gap, and have cursors that mean nothing to another carrier.
import type { ServiceBroker } from "moleculer";
import { nodeEnvironment } from "../../kernel/index.ts";
import type { LogCarrier, LogFeed, Place } from "./carrier.ts";
import { Channel } from "./jetstream/channel.ts";
import { connectionOf } from "./jetstream/connection.ts";
import { JetStreamFeed } from "./jetstream/feed.ts";
import { logOf } from "./local.ts";

export class JetStreamCarrier implements LogCarrier {
  readonly #broker: ServiceBroker;
  readonly #feeds = new Set<JetStreamFeed>();
  constructor(broker: ServiceBroker) {
    this.#broker = broker;
  }

  open(source: string, { cursor, mark }: Place): LogFeed {
    const channel = new Channel(nodeEnvironment.of(this.#broker).NAMESPACE, source);
    const feed = new JetStreamFeed(
      source,
      cursor,
      mark,
      logOf(this.#broker, source),
      connectionOf(this.#broker),
      channel,
      () => this.#feeds.delete(feed),
    );
    this.#feeds.add(feed);
    return feed;
  }

  wake(source: string): void {
    for (const feed of this.#feeds) if (feed.source === source) feed.wake();
  }
}
