// Public events: what happens in the house, told to programs outside in a shape of its own. An inner event may change with
// each release of its owner; a public event is a contract with people whom nobody can ask to deploy. So it has a name, a
// version and a schema that are released beside the service (`events.json`), and a mapping that makes it of an inner event.
import type { TProperties } from "typebox";
import {
  compileSchema,
  personalFieldsOf,
  secretsOf,
  strictObject,
  type Call,
  type Data,
  type EventName,
  type Recorded,
} from "../../contract/index.ts";
import { Misconfigured } from "../../kernel/index.ts";

type Made<P extends TProperties> = Data<P> | undefined | Promise<Data<P> | undefined>;

export interface Outbound<P extends TProperties = any> {
  /** Name of the public event: `library.loan.ended`. */
  readonly event: string;
  /** Version of its schema. Default 1. */
  readonly version: number;
  readonly schema: P;
  /** Topic of Kafka that gets it as well, after the namespace and a dot; where `KAFKA_BROKERS` is set. */
  readonly topic?: string;
  /**
   * Makes the data of the public event, or nothing, of an inner one. It may run several times for one event and has to give
   * the same each time: `call` reads what was there at the event's version (`stateAt`). Data that breaks the schema, or an
   * error, is a bug of that event: it becomes a dead letter, and the other events go on.
   */
  readonly on: { readonly [E in EventName]?: (event: Recorded<E>, tools: { call: Call }) => Made<P> };
}

/** `library.loan.ended`: lower case, so that the names of topics, headers and files that follow from it are safe. */
const NAME = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/;
const TOPIC = /^[a-z][a-z0-9._-]{0,99}$/;

/**
 * Defines a public event: `mixins: [Outbounds(LoanEnded)]`. Throws Misconfigured for a name of another form, a wrong schema, and a
 * schema with fields that are marked as secret or personal: these do not leave by mistake.
 */
export function defineOutbound<P extends TProperties>({
  version = 1,
  ...outbound
}: Omit<Outbound<P>, "version"> & { readonly version?: number }): Outbound<P> {
  const { event, schema, topic } = outbound;
  if (!NAME.test(event)) throw new Misconfigured(`${event}: a public event has a name such as "library.loan.ended"`);
  if (topic !== undefined && !TOPIC.test(topic))
    throw new Misconfigured(`${event}: the topic "${topic}" has other characters than a-z, 0-9, dot, _ and -`);
  compileSchema(strictObject(schema), event);
  const kept = [...secretsOf(schema), ...personalFieldsOf(schema).map(({ name }) => name)];
  if (kept.length > 0)
    throw new Misconfigured(`${event}: ${kept.join(", ")} must not leave: its schema is marked as secret or personal`);
  return { version, ...outbound };
}
