// What is published from now on, as it comes: an ephemeral consumer of JetStream, without acknowledgements, since whoever
// reads keeps its place in its own database. It ends at the first trouble; whoever reads opens another.
import { AckPolicy, DeliverPolicy, nanos, type ConsumerMessages, type FetchOptions, type JsMsg } from "nats";
import type { Carried, Channel } from "./channel.ts";
import type { JetStream } from "./connection.ts";

const limits = {
  /** Messages asked for at once, and kept until they are taken; more wait with the server. */
  pull: 500,
  kept: 1_000,
  /** Milliseconds that a pull stays open. Within half of it a server that is silent is taken for gone. */
  pullMs: 4_000,
  /** Milliseconds after its last pull until the server forgets it. */
  inactiveMs: 30_000,
};

export class Tail {
  state: "opening" | "flowing" | "ended" = "opening";
  readonly #onChange: () => void;
  readonly #messages: Carried[] = [];
  #pulling: ConsumerMessages | undefined;
  #room: (() => void) | undefined;

  /** `onChange`: a message has come, or the state is another. */
  constructor(jetStream: JetStream, channel: Channel, onChange: () => void) {
    this.#onChange = onChange;
    this.#run(jetStream, channel)
      .catch(() => {}) // whatever it was: the reader goes on with the log, and tries again
      .finally(() => this.close());
  }

  get size(): number {
    return this.#messages.length;
  }
  /** The oldest that is kept. */
  get first(): Carried | undefined {
    return this.#messages[0];
  }
  drop(count: number): void {
    this.#messages.splice(0, count);
    if (this.size < limits.kept) this.#room?.();
  }

  close(): void {
    if (this.state === "ended") return;
    this.state = "ended";
    this.#room?.();
    void this.#pulling?.close();
    this.#onChange();
  }

  async #run({ client, manager }: JetStream, channel: Channel): Promise<void> {
    const { name } = await manager.consumers.add(channel.name, {
      deliver_policy: DeliverPolicy.New,
      ack_policy: AckPolicy.None,
      mem_storage: true,
      inactive_threshold: nanos(limits.inactiveMs),
    });
    const consumer = await client.consumers.get(channel.name, name);
    this.#become("flowing");
    // The client knows a callback here as well, its types do not: iterating costs twice as much.
    const callback = (message: JsMsg): void => {
      this.#messages.push(message.json());
      this.#onChange();
    };
    while (this.state === "flowing") {
      this.#pulling = await consumer.fetch({
        max_messages: limits.pull,
        expires: limits.pullMs,
        callback,
      } as FetchOptions);
      const trouble = await this.#pulling.closed();
      if (trouble) throw trouble;
      if (this.size >= limits.kept) await new Promise<void>(resolve => (this.#room = resolve));
    }
    await manager.consumers.delete(channel.name, name);
  }

  #become(state: "flowing"): void {
    if (this.state === "ended") return;
    this.state = state;
    this.#onChange();
  }
}
