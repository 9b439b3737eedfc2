// The relay's way to Kafka. The producer is idempotent, and every copy in sync must have stored a record: an attempt that is made
// again stores it once. A relay that begins anew may publish a page again, which our readers see, and others by its `ce_id`.
import type { EventOwner } from "../../cloud-events.ts";
import { streamErrors } from "../../errors.ts";
import type { Outlet, Sent } from "../../publish/relay.ts";
import { is, type KafkaClients, type KafkaConnection } from "./connection.ts";
import { problemOf } from "./problems.ts";
import { recordsOf, type TopicRecord } from "./records.ts";
import type { Topic } from "./topic.ts";

const limits = {
  /** Bytes that are sent at once: the client makes one batch of each partition's, and brokers take a million a batch. */
  sendBytes: 900_000,
  /** Bytes below which no less is sent at once, however little the brokers take. */
  sendBytesMin: 10_000,
  /** Bytes of a record's headers, about. */
  headersBytes: 1_000,
};

/** A message, and the record that it becomes. */
interface Outgoing {
  readonly message: Sent;
  readonly record: TopicRecord;
}

export function kafkaOutlet(connection: KafkaConnection, topic: Topic, owner: EventOwner): Outlet {
  const toRecord = recordsOf(owner);
  let sendBytes = limits.sendBytes;
  const connected = () => {
    if (!connection.clients) throw new Error("the connection to Kafka is gone");
    return connection.clients;
  };

  /** Stores these in order; those of which the brokers take less at once in parts, and an event that is too large without its data. */
  async function store(clients: KafkaClients, sent: readonly Outgoing[], seal: string | undefined): Promise<void> {
    try {
      await send(clients, topic, sent);
    } catch (error) {
      const [{ message, record }] = sent as [Outgoing];
      const isOne = sent.length === 1;
      if (!is(clients.kafka, error, "MESSAGE_TOO_LARGE") || (isOne && record.value === undefined)) throw error;
      if (isOne) return store(clients, [{ message, record: toRecord(message, seal, 0) }], seal);
      sendBytes = Math.max(limits.sendBytesMin, Math.floor(sendBytes / 2));
      const half = Math.ceil(sent.length / 2);
      await store(clients, sent.slice(0, half), seal);
      await store(clients, sent.slice(half), seal);
    }
  }

  return {
    get isConnected() {
      return connection.clients !== undefined;
    },
    onChange: listener => connection.onChange(listener),
    ensure: () => explained(topic, () => topic.ensure(connected())),
    publish(messages, seal) {
      const publishing = explained(topic, async () => {
        const clients = connected();
        const outgoing = messages.map(message => ({ message, record: toRecord(message, seal) }));
        for (const some of portions(outgoing, () => sendBytes)) await store(clients, some, seal);
      });
      return connection.beforeLeaving(publishing);
    },
  };
}

async function send({ kafka, producer }: KafkaClients, topic: Topic, sent: readonly Outgoing[]): Promise<void> {
  const messages = sent.map(({ message, record }) => ({
    ...record,
    topic: topic.name,
    partition: topic.partitionOf(message.event),
  }));
  await producer.send({
    messages: messages as never,
    idempotent: true,
    acks: kafka.ProduceAcks.ALL,
    compression: kafka.CompressionAlgorithms.ZSTD,
  });
}

/** @throws TOPIC_REFUSES for an error of the client, with what it means */
async function explained<T>(topic: Topic, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if ((cause as { type?: string }).type !== undefined) throw cause;
    const { message, advice } = problemOf(cause);
    throw streamErrors.TOPIC_REFUSES({ topic: topic.name, problem: message, advice, cause });
  }
}

/** The records in order, in parts that may be sent at once. */
function* portions(all: readonly Outgoing[], bytesMax: () => number): Generator<readonly Outgoing[]> {
  let part: Outgoing[] = [];
  let bytes = 0;
  for (const each of all) {
    const own = Buffer.byteLength(each.record.value ?? "") + limits.headersBytes;
    if (part.length > 0 && bytes + own > bytesMax()) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(each);
    bytes += own;
  }
  if (part.length > 0) yield part;
}
