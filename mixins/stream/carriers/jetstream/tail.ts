// The messages from now on, put into the log's order (pages.ts): an ephemeral consumer of JetStream, without acknowledgements, since a reader keeps
// its checkpoint in its own database. It ends at the first error; its reader opens another.
//
// The consumer is made in the form whose subject tells the stream and the filter, so that the server can permit it by role.
// Its name is a secret: whoever knew it could pull its messages, or change it. Nobody deletes it: the right to delete one
// would be a right to delete all.
import { randomBytes } from "node:crypto";
import { AckPolicy, DeliverPolicy, nanos, type ConsumerMessages, type FetchOptions, type JsMsg } from "nats";
import type { Cursor } from "../../log/source.ts";
import { receivedFrom, type Received } from "../message.ts";
import { Ordered } from "../ordered.ts";
import type { Tail } from "../relayed-feed.ts";
import type { Channel } from "./channel.ts";
import type { JetStream } from "./connection.ts";

const limits = {
  /** Messages asked for at once, and messages kept until they are taken; the others wait at the server. */
  pull: 500,
  kept: 1_000,
  /** Milliseconds that a pull stays open. A server that is silent for half of it counts as gone. */
  pullMs: 4_000,
  /** Milliseconds after its last pull until the server forgets the consumer. */
  inactiveMs: 30_000,
};

export class JetStreamTail implements Tail {
  state: "opening" | "flowing" | "ended" = "opening";
  readonly #onChange: () => void;
  readonly #messages: Ordered;
  #pulling: ConsumerMessages | undefined;
  #room: (() => void) | undefined;

  constructor(jetStream: JetStream, channel: Channel, onChange: () => void) {
    this.#onChange = onChange;
    this.#messages = new Ordered(onChange);
    this.#run(jetStream, channel)
      .catch(() => {}) // whatever the error is, the reader goes on with the log and opens another tail
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
    if (this.size < limits.kept) this.#room?.();
  }
  goOn(origin: string, cursor: Cursor): void {
    this.#messages.goOn(origin, cursor);
  }

  close(): void {
    if (this.state === "ended") return;
    this.state = "ended";
    this.#messages.close();
    this.#room?.();
    void this.#pulling?.close();
    this.#onChange();
  }

  async #run({ client, manager }: JetStream, channel: Channel): Promise<void> {
    const name = randomBytes(16).toString("hex");
    await manager.consumers.add(channel.name, {
      name,
      filter_subject: channel.subjects,
      deliver_policy: DeliverPolicy.New,
      ack_policy: AckPolicy.None,
      mem_storage: true,
      inactive_threshold: nanos(limits.inactiveMs),
    });
    const consumer = await client.consumers.get(channel.name, name);
    this.#become("flowing");
    // The client takes a callback here, which its types do not tell. Iterating costs twice as much.
    const callback = (message: JsMsg): void => this.#messages.add([receivedFrom(message.string())]);
    while (this.state === "flowing") {
      this.#pulling = await consumer.fetch({
        max_messages: limits.pull,
        expires: limits.pullMs,
        callback,
      } as FetchOptions);
      const error = await this.#pulling.closed();
      if (error) throw error;
      if (this.size >= limits.kept) await new Promise<void>(resolve => (this.#room = resolve));
    }
  }

  #become(state: "flowing"): void {
    if (this.state === "ended") return;
    this.state = state;
    this.#onChange();
  }
}
