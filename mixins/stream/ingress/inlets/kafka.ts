// The way in from a topic of Kafka, all of its partitions that are asked for. Without a group of consumers, as the house's own
// tails: the shares of the service say which node reads which partition, and its rows from where.
import type { Consumer } from "@platformatic/kafka";
import type { ServiceBroker } from "moleculer";
import { Bug, Unavailable } from "../../../kernel/index.ts";
import { causeOf, kafkaOf, type KafkaClients } from "../../carriers/kafka/connection.ts";
import { Topic } from "../../carriers/kafka/topic.ts";
import { streamErrors } from "../../errors.ts";
import type { Incoming } from "../kept-message.ts";
import type { Extent, Inlet, InletFeed } from "./inlet.ts";
import { ReadAhead } from "./read-ahead.ts";

const limits = {
  /** Milliseconds that a broker may wait for records before it answers. */
  waitMs: 1_000,
  /** Bytes of an answer, and of one partition in it. A larger record comes alone. */
  bytes: 4 * 1_024 * 1_024,
  partitionBytes: 512 * 1_024,
};

/** Only records of transactions that were committed. */
const READ_COMMITTED = 1;
/** `timestamp` of the first record that a partition still has. */
const EARLIEST = -2n;
/** Likewise, of the place after the last. */
const LATEST = -1n;
/** Bits of a batch: its records are of a transaction; it ends one. */
const IS_TRANSACTIONAL = 0x10;
const IS_CONTROL = 0x20;

export class KafkaInlet implements Inlet {
  readonly source: string;
  readonly #broker: ServiceBroker;
  readonly #topic: string;

  constructor(broker: ServiceBroker, topic: string) {
    this.#broker = broker;
    this.#topic = topic;
    this.source = `kafka:${topic}`;
  }

  async extents(): Promise<ReadonlyMap<number, Extent>> {
    const clients = this.#clients();
    try {
      await new Topic(this.#broker, this.#topic, true).ensure(clients);
      const metadata = await clients.admin.metadata({ topics: [this.#topic], forceUpdate: true });
      const { id: origin, partitionsCount } = metadata.topics.get(this.#topic)!;
      const [first, end] = await Promise.all(
        [EARLIEST, LATEST].map(timestamp => this.#offsets(clients, partitionsCount, timestamp)),
      );
      return new Map(
        [...first!].map(([partition, from]) => [partition, { origin, first: from, end: end!.get(partition)! }]),
      );
    } catch (error) {
      throw isOurs(error) ? error : new Error(causeOf(error), { cause: error });
    }
  }

  async #offsets({ admin }: KafkaClients, count: number, timestamp: bigint): Promise<Map<number, bigint>> {
    const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp }));
    const [listed] = await admin.listOffsets({
      topics: [{ name: this.#topic, partitions }],
      isolationLevel: READ_COMMITTED,
    });
    return new Map(listed!.partitions.map(({ partitionIndex, offset }) => [partitionIndex, offset]));
  }

  open(places: ReadonlyMap<number, bigint>): InletFeed {
    return new KafkaFeed(this.#clients(), this.#topic, places);
  }

  #clients(): KafkaClients {
    const { clients } = kafkaOf(this.#broker);
    if (!clients) throw streamErrors.BUS_AWAY({ bus: "Kafka" });
    return clients;
  }
}

/** Errors that say what to do themselves: TOPIC_MISSING, BUS_AWAY. */
const isOurs = (error: unknown): boolean => error instanceof Bug || error instanceof Unavailable;

/** The client's consumers all name a group; ours never joins it. */
const consumerOf = ({ kafka, options }: KafkaClients): Consumer =>
  new kafka.Consumer({ ...options, groupId: options.clientId, isolationLevel: READ_COMMITTED });

type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;
type FetchedPartition = FetchResponse["responses"][number]["partitions"][number];

class KafkaFeed implements InletFeed {
  readonly #ahead = new ReadAhead();
  readonly #consumer: Consumer;
  readonly #topic: string;
  /** The next offset of each partition. */
  readonly #offsets: Map<number, bigint>;

  constructor(clients: KafkaClients, topic: string, places: ReadonlyMap<number, bigint>) {
    this.#topic = topic;
    this.#offsets = new Map(places);
    this.#consumer = consumerOf(clients);
    this.#run().catch((error: unknown) => this.#ahead.fail(new Error(causeOf(error), { cause: error })));
  }

  next(): Promise<readonly Incoming[]> {
    return this.#ahead.take();
  }

  reached(): ReadonlyMap<number, bigint> {
    return this.#ahead.isEmpty ? this.#offsets : new Map();
  }

  close(): void {
    this.#ahead.close();
    void this.#consumer.close(true).catch(() => {});
  }

  async #run(): Promise<void> {
    const topic = this.#topic;
    this.#consumer.topics.track(topic);
    const metadata = await this.#consumer.metadata({ topics: [topic], forceUpdate: true });
    const { id, partitions } = metadata.topics.get(topic)!;
    const leaders = Map.groupBy(this.#offsets.keys(), partition => partitions[partition]!.leader);
    await Promise.all([...leaders].map(([broker, led]) => this.#follow(broker, id, led)));
  }

  /** Reads from one broker until the feed ends. */
  async #follow(node: number, topicId: string, led: readonly number[]): Promise<void> {
    while (!this.#ahead.isClosed) {
      const partitions = led.map(partition => ({
        partition,
        fetchOffset: this.#offsets.get(partition)!,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
        partitionMaxBytes: limits.partitionBytes,
      }));
      const { responses } = await this.#consumer.fetch({
        node,
        topics: [{ topicId, partitions }],
        minBytes: 1,
        maxBytes: limits.bytes,
        maxWaitTime: limits.waitMs,
      });
      const fetched = responses.flatMap(response => response.partitions);
      await this.#ahead.add(fetched.flatMap(partition => this.#messagesOf(partition, topicId)));
    }
  }

  /** The messages of an answer from the partition's offset on, without those of transactions that were given up. */
  #messagesOf(
    { partitionIndex: partition, records, abortedTransactions }: FetchedPartition,
    origin: string,
  ): Incoming[] {
    const messages: Incoming[] = [];
    const aborted = (abortedTransactions ?? []).toSorted((a, b) => Number(a.firstOffset - b.firstOffset));
    const giving = new Set<bigint>();
    for (const batch of records ?? []) {
      const next = this.#offsets.get(partition)!;
      const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
      while (aborted.length > 0 && aborted[0]!.firstOffset <= last) giving.add(aborted.shift()!.producerId);
      const isGivenUp = (batch.attributes & IS_TRANSACTIONAL) !== 0 && giving.has(batch.producerId);
      if ((batch.attributes & IS_CONTROL) !== 0) giving.delete(batch.producerId);
      else if (!isGivenUp)
        for (const { offsetDelta, timestampDelta, key, headers, value } of batch.records) {
          const place = batch.firstOffset + BigInt(offsetDelta);
          // A batch may begin before the place that was asked for.
          if (place < next) continue;
          messages.push({
            partition,
            place,
            origin,
            key: key?.toString(),
            headers: textsOf(headers),
            payload: value ?? Buffer.alloc(0),
            atMs: timeIn(batch.firstTimestamp + timestampDelta),
          });
        }
      if (last + 1n > next) this.#offsets.set(partition, last + 1n);
    }
    return messages;
  }
}

/** The sender gives the time, and may give any number: one that is no time is now. */
const timeIn = (ms: bigint): number => (ms >= 0n && ms < YEAR_10_000 ? Number(ms) : Date.now());
const YEAR_10_000 = 253_402_300_800_000n;

const textsOf = (headers: readonly (readonly [Buffer | null, Buffer | null])[]): Record<string, string> =>
  Object.fromEntries(headers.map(([name, value]) => [(name?.toString() ?? "").toLowerCase(), value?.toString() ?? ""]));
