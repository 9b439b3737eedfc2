// The relay's way to Kafka. The producer is idempotent, and every copy in sync must have stored a record: an attempt that is made
// again stores it once. A relay that begins anew may publish a page again, which our readers see, and others by its `ce_id`.
import type { EventOwner } from "../../cloud-events.ts";
import type { Outlet } from "../../publish/relay.ts";
import type { KafkaConnection } from "./connection.ts";
import { recordsOf, type TopicRecord } from "./records.ts";
import type { Topic } from "./topic.ts";

/** Bytes that are sent at once: the client makes one batch of each partition's, and brokers take a million a batch. */
const SEND_BYTES = 900_000;

export function kafkaOutlet(connection: KafkaConnection, topic: Topic, owner: EventOwner): Outlet {
  const encode = recordsOf(owner);
  const connected = () => {
    if (!connection.clients) throw new Error("the connection to Kafka is gone");
    return connection.clients;
  };
  return {
    get isConnected() {
      return connection.clients !== undefined;
    },
    onChange: listener => connection.onChange(listener),
    ensure: async () => topic.ensure(connected()),
    async publish(messages, seal) {
      const { kafka, producer } = connected();
      const records = encode(messages, seal).map((record, i) => ({
        ...record,
        topic: topic.name,
        partition: topic.partitionOf(messages[i]!.event),
      }));
      for (const some of portions(records))
        await producer.send({
          messages: some as never,
          idempotent: true,
          acks: kafka.ProduceAcks.ALL,
          compression: kafka.CompressionAlgorithms.ZSTD,
        });
    },
  };
}

/** The records in order, in parts that may be sent at once. */
function portions<R extends TopicRecord>(records: readonly R[]): R[][] {
  const parts: R[][] = [];
  let room = 0;
  for (const record of records) {
    const bytes = Buffer.byteLength(record.value ?? "") + HEADERS_BYTES;
    if (bytes > room) {
      parts.push([]);
      room = SEND_BYTES;
    }
    parts.at(-1)!.push(record);
    room -= bytes;
  }
  return parts;
}
const HEADERS_BYTES = 1_000;
