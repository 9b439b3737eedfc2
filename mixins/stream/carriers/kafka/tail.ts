// The records of a topic from now on, of all partitions, put back into the log's order (pages.ts). Each partition is read from a place of
// our own, and without a group of consumers: our leases and checkpoints say who reads what. It ends at the first error, such as
// a partition with another leader, or a topic that was made anew; its reader opens another.
import type { Consumer } from "@platformatic/kafka";
import type { Cursor } from "../../log/source.ts";
import type { Received } from "../message.ts";
import { Ordered } from "../ordered.ts";
import type { Tail } from "../relayed-feed.ts";
import type { KafkaClients } from "./connection.ts";
import { receivedFrom } from "./records.ts";

const limits = {
  /** Milliseconds that a broker may wait for records before it answers. */
  waitMs: 1_000,
  /** Bytes of an answer, and of one partition in it. */
  bytes: 8 * 1_024 * 1_024,
  partitionBytes: 1_024 * 1_024,
  /** Messages that are kept until they are taken; the others wait at the brokers. */
  kept: 1_000,
};

/** Bit of a batch that marks transactions and holds no record of ours. */
const IS_CONTROL = 0x20;

type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;
/** The next offset of each partition that one broker leads. */
type Offsets = Map<number, bigint>;

export class KafkaTail implements Tail {
  state: Tail["state"] = "opening";
  readonly #topic: string;
  readonly #onChange: () => void;
  readonly #report: (error?: unknown) => void;
  readonly #messages: Ordered;
  readonly #consumer: Consumer;
  #rooms: (() => void)[] = [];

  /** `report` is told why the topic cannot be read, and without an error that it can. */
  constructor(
    { kafka, options }: KafkaClients,
    topic: string,
    onChange: () => void,
    report: (error?: unknown) => void = () => {},
  ) {
    this.#topic = topic;
    this.#onChange = onChange;
    this.#report = report;
    this.#messages = new Ordered(onChange);
    // The client's consumers all name a group; ours never joins it.
    this.#consumer = new kafka.Consumer({ ...options, groupId: options.clientId, isolationLevel: 0 });
    this.#run()
      // After any error the reader goes on with the log and opens another tail.
      .catch((error: unknown) => this.state !== "ended" && this.#report(error))
      .finally(() => this.close());
  }

  get size(): number {
    return this.#messages.size;
  }
  get first(): Received | undefined {
    return this.#messages.first;
  }
  drop(count: number): void {
    this.#messages.drop(count);
    if (this.size < limits.kept) this.#makeRoom();
  }
  goOn(origin: string, cursor: Cursor): void {
    this.#messages.goOn(origin, cursor);
  }

  close(): void {
    if (this.state === "ended") return;
    this.state = "ended";
    this.#messages.close();
    this.#makeRoom();
    void this.#consumer.close(true).catch(() => {});
    this.#onChange();
  }

  async #run(): Promise<void> {
    const topic = this.#topic;
    this.#consumer.topics.track(topic);
    const metadata = await this.#consumer.metadata({ topics: [topic], forceUpdate: true });
    const { id, partitions } = metadata.topics.get(topic)!;
    const ends = (await this.#consumer.listOffsets({ topics: [topic] })).get(topic)!;
    const leaders = Map.groupBy(partitions.keys(), partition => partitions[partition]!.leader);
    if (this.state === "ended") return;
    this.state = "flowing";
    this.#onChange();
    const followed = [...leaders].map(([broker, led]) =>
      this.#follow(broker, id, new Map(led.map(partition => [partition, ends[partition]!]))),
    );
    await Promise.all(followed);
  }

  /** Reads from one broker until the tail ends. */
  async #follow(broker: number, topicId: string, offsets: Offsets): Promise<void> {
    while (this.state === "flowing") {
      const partitions = [...offsets].map(([partition, fetchOffset]) => ({
        partition,
        fetchOffset,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
        partitionMaxBytes: limits.partitionBytes,
      }));
      const response = await this.#consumer.fetch({
        node: broker,
        topics: [{ topicId, partitions }],
        minBytes: 1,
        maxBytes: limits.bytes,
        maxWaitTime: limits.waitMs,
      });
      this.#report();
      this.#take(response, offsets);
      if (this.size >= limits.kept) await new Promise<void>(resolve => this.#rooms.push(resolve));
    }
  }

  #take({ responses }: FetchResponse, offsets: Offsets): void {
    const received: Received[] = [];
    for (const { partitionIndex, records } of responses.flatMap(({ partitions }) => partitions))
      for (const batch of records ?? []) {
        const next = offsets.get(partitionIndex)!;
        for (const { offsetDelta, headers, value } of (batch.attributes & IS_CONTROL) === 0 ? batch.records : []) {
          // A batch may begin before the place that was asked for.
          if (batch.firstOffset + BigInt(offsetDelta) < next) continue;
          const message = receivedFrom(textsOf(headers), value?.toString());
          if (message) received.push(message);
        }
        offsets.set(partitionIndex, max(next, batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n));
      }
    this.#messages.add(received);
  }

  #makeRoom(): void {
    for (const go of this.#rooms.splice(0)) go();
  }
}

const textsOf = (headers: readonly (readonly [Buffer | null, Buffer | null])[]): Record<string, string> =>
  Object.fromEntries(headers.map(([name, value]) => [name?.toString() ?? "", value?.toString() ?? ""]));
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
