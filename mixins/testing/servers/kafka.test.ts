// The Kafka of the tests, by its own programs and by the client of the carrier.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from "@platformatic/kafka";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority } from "./authority.ts";
import { Kafka, type KafkaUser } from "./kafka.ts";

const USER: KafkaUser = { mechanism: "SCRAM-SHA-512", username: "valence", password: "sesame" };
const MESSAGES = [
  { key: "a", value: '{"n":1}', headers: { ce_id: "letter.a@1", ce_time: "2026-01-01T00:00:00Z" } },
  { value: "tab\there", headers: {} },
];

let kafka: Kafka;
let folder: string;
let authority: Authority;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "authority-"));
  authority = new Authority(folder);
  kafka = await Kafka.start({ secured: { tls: authority.sign("kafka"), sasl: USER } });
  const admin = new Admin({ clientId: "test", bootstrapBrokers: kafka.servers.split(",") });
  await admin.createTopics({ topics: ["letters"], partitions: 1, replicas: 1 });
  await admin.close();
});
afterAll(async () => {
  await kafka?.stop();
  rmSync(folder, { recursive: true });
});

const client = (user: KafkaUser) => ({
  clientId: "test",
  bootstrapBrokers: kafka.secured.split(","),
  tls: { ca: readFileSync(authority.ca) },
  sasl: user,
});

test("our client reads what the console producer wrote, with TLS and a password, and the other way round", async () => {
  await kafka.produce("letters", MESSAGES);
  const consumer = new Consumer({ ...client(USER), groupId: "test", deserializers: stringDeserializers });
  const messages = await consumer.consume({ topics: ["letters"], mode: "earliest", autocommit: false });
  const seen = [];
  for await (const { key, value, headers } of messages) {
    seen.push({ ...(key && { key }), value, headers: Object.fromEntries(headers) });
    if (seen.length === MESSAGES.length) break;
  }
  await consumer.close(true);
  expect(seen).toEqual(MESSAGES);

  const producer = new Producer({ ...client(USER), serializers: stringSerializers });
  await producer.send({ messages: [{ topic: "letters", key: "b", value: "2", headers: { ce_id: "letter.b@1" } }] });
  await producer.close();
  expect(await kafka.consume("letters", 3)).toEqual([
    ...MESSAGES,
    { key: "b", value: "2", headers: { ce_id: "letter.b@1" } },
  ]);
});

test("a wrong password is refused", async () => {
  const stranger = client({ ...USER, password: "wrong" });
  const consumer = new Consumer({ ...stranger, groupId: "test", retries: 0 });
  await expect(consumer.metadata({ topics: ["letters"] })).rejects.toThrow();
  await consumer.close(true);
});
