// The way in from a subject of JetStream. One partition: a stream has one order, and one node reads it at a time.
//
// The consumer is ephemeral and without acknowledgements, as the house's own tails are (carriers/jetstream/tail.ts), in the form
// whose subject tells stream and filter, so that the server can permit it by role. Its deliveries are counted: one that is lost
// on the way ends the feed, and the next one begins at the place that is kept.
import { randomBytes } from "node:crypto";
import type { ServiceBroker } from "moleculer";
import { AckPolicy, DeliverPolicy, nanos, type ConsumerMessages, type FetchOptions, type JsMsg } from "nats";
import { connectionOf, type JetStream } from "../../carriers/jetstream/connection.ts";
import { streamErrors } from "../../errors.ts";
import type { Where } from "../announced.ts";
import type { Incoming } from "../kept-message.ts";
import { ensureStream } from "./ensure-stream.ts";
import type { Extent, Inlet, InletFeed } from "./inlet.ts";
import { ReadAhead } from "./read-ahead.ts";

const limits = {
  /** Messages asked for at once: of the largest that a server takes by default, 1 MB, that is 64 MB. */
  pull: 64,
  /** Milliseconds that a pull stays open. */
  pullMs: 4_000,
  /** Milliseconds after its last pull until the server forgets the consumer. */
  inactiveMs: 30_000,
};

const PARTITION = 0;

export class JetStreamInlet implements Inlet {
  readonly source: string;
  readonly #broker: ServiceBroker;
  readonly #where: Where;

  constructor(broker: ServiceBroker, where: Where) {
    this.#broker = broker;
    this.#where = where;
    this.source = `jetstream:${where.subject}`;
  }

  async extents(): Promise<ReadonlyMap<number, Extent>> {
    const { created, state } = await ensureStream(this.#jetStream().manager, this.#where);
    // JetStream counts from 1 on, and says 0 of a stream that never had a message.
    const first = BigInt(Math.max(1, state.first_seq));
    return new Map([[PARTITION, { origin: created, first, end: BigInt(state.last_seq) + 1n }]]);
  }

  open(places: ReadonlyMap<number, bigint>, extents: ReadonlyMap<number, Extent>): InletFeed {
    const place = places.get(PARTITION);
    return new JetStreamFeed(this.#jetStream(), this.#where, place ?? 1n, extents.get(PARTITION)!.origin);
  }

  #jetStream(): JetStream {
    const { jetStream } = connectionOf(this.#broker);
    if (!jetStream) throw streamErrors.BUS_AWAY({ bus: "JetStream" });
    return jetStream;
  }
}

class JetStreamFeed implements InletFeed {
  readonly #ahead = new ReadAhead();
  readonly #origin: string;
  #delivered = 0;
  #pulling: ConsumerMessages | undefined;

  constructor(jetStream: JetStream, where: Where, place: bigint, origin: string) {
    this.#origin = origin;
    this.#run(jetStream, where, place).catch((error: unknown) => this.#ahead.fail(error));
  }

  next(): Promise<readonly Incoming[]> {
    return this.#ahead.take();
  }

  reached(): ReadonlyMap<number, bigint> {
    return new Map();
  }

  close(): void {
    this.#ahead.close();
    void this.#pulling?.close();
  }

  async #run({ client, manager }: JetStream, { stream, subject }: Where, place: bigint): Promise<void> {
    const name = randomBytes(16).toString("hex");
    await manager.consumers.add(stream, {
      name,
      filter_subject: subject,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: Number(place),
      ack_policy: AckPolicy.None,
      mem_storage: true,
      inactive_threshold: nanos(limits.inactiveMs),
    });
    const consumer = await client.consumers.get(stream, name);
    while (!this.#ahead.isClosed) {
      let room: Promise<void> | undefined;
      // The client takes a callback here, which its types do not tell: iterating waits for a full pull, or its end.
      const callback = (message: JsMsg): void => {
        if (!this.#isNext(message)) return;
        room = this.#ahead.add([this.#messageOf(message)]);
      };
      this.#pulling = await consumer.fetch({
        max_messages: limits.pull,
        expires: limits.pullMs,
        callback,
      } as FetchOptions);
      const error = await this.#pulling.closed();
      if (error) throw error;
      await room;
    }
  }

  #isNext({ info }: JsMsg): boolean {
    const isNext = info.deliverySequence === ++this.#delivered;
    if (!isNext) this.#ahead.fail(new Error("a message of JetStream was lost on its way; it is read again"));
    return isNext;
  }

  #messageOf({ seq, headers, data, info }: JsMsg): Incoming {
    const texts = Object.fromEntries((headers?.keys() ?? []).map(name => [name.toLowerCase(), headers!.get(name)]));
    return {
      partition: PARTITION,
      place: BigInt(seq),
      origin: this.#origin,
      key: undefined,
      headers: texts,
      payload: Buffer.from(data),
      atMs: Math.floor(info.timestampNanos / 1_000_000),
    };
  }
}
