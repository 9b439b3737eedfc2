// An ingress turns messages of others, on a topic of Kafka or a subject of JetStream, into calls: at least once for each
// message, under command ids that are derived from the message, so that an actor executes the command once.
import type { Static, TSchema } from "typebox";
import type { Call } from "../../contract/index.ts";

/** A message from outside, whose data fits the schema. */
export interface Message<S extends TSchema = TSchema> {
  readonly data: Static<S>;
  /** The sender's key of the message, if it has one: those of one key are handled in order. */
  readonly key: string | undefined;
  /** Attributes of a CloudEvent by their names (`id`, `type`, `time`, …); of another message there are none. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Time at which the bus took it, in milliseconds since the epoch by the bus's clock. */
  readonly atMs: number;
}

export interface IngressDefinition<S extends TSchema> {
  /** Names its places in the source: under a new name it starts at the first message that there is. Unique in the service. */
  readonly name: string;
  /**
   * The topic of Kafka, and the stream and subject of JetStream. With both it reads the one that carries the system's own
   * events. An ingress whose bus is not configured is off.
   */
  readonly from: {
    readonly kafka?: string;
    readonly jetstream?: { readonly stream: string; readonly subject: string };
  };
  /** JSON Schema of the data. Give objects room for fields that the sender adds later: `Type.Object` does. */
  readonly message: S;
  /** Names the messages that are handled in order, where the sender's own key does not. Only the messages of one partition of a topic can be. */
  readonly key?: (message: Message<S>) => string;
  /** Largest message in bytes. A larger one is a dead letter, of which the beginning is kept. Default 64 KiB. */
  readonly maxBytes?: number;
  /**
   * Whether messages without a value are passed over: a compacted topic has such a tombstone for each key that was deleted. Default
   * false: each is a dead letter.
   */
  readonly ignoresEmpty?: boolean;
  /**
   * Makes the calls, the n-th of a message always under the same command id. A refusal makes the message a dead letter, and
   * the ones behind it go on; any other error is tried again with backoff, and those of the same key wait.
   */
  readonly handle: (message: Message<S>, tools: { call: Call }) => Promise<unknown>;
}
export type Ingress = IngressDefinition<any>;

/** Longest name: it is a part of command ids. */
const NAME = /^[a-z][a-z0-9-]{0,62}$/;

/**
 * Defines an ingress. A service runs it by `mixins: [Ingresses(ingress)]`. Throws TypeError for a name that is not like
 * `printer-deliveries`, and for one that is from nowhere.
 */
export function defineIngress<S extends TSchema>(ingress: IngressDefinition<S>): Ingress {
  const { name, from } = ingress;
  if (!NAME.test(name)) throw new TypeError(`ingress "${name}": a name is small letters, digits and -`);
  if (from.kafka === undefined && from.jetstream === undefined)
    throw new TypeError(`ingress "${name}" reads from nowhere: name a topic of Kafka, a subject of JetStream, or both`);
  return ingress;
}
