// The carrier on a Kafka of one broker: its promises, its topics, and readers outside.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  ConfigResourceTypes,
  ResourcePatternTypes,
  ResourceTypes,
} from "@platformatic/kafka";
import type { ServiceBroker } from "moleculer";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../testing/index.ts";
import { newBrokers } from "../../testing/broker.ts";
import { Authority, Kafka, type KafkaUser } from "../../testing/servers.ts";
import { consuming, TYPES, writer } from "../consumer/writer.fixture.ts";
import { carrierConformance } from "./carrier.conformance.ts";
import { KafkaHouse } from "./kafka.fixture.ts";
import { kafkaOf, type KafkaClients } from "./kafka/connection.ts";
import { Topic } from "./kafka/topic.ts";
import { carrierOf } from "./resolve.ts";

const USER: KafkaUser = { mechanism: "SCRAM-SHA-256", username: "reader", password: "sesame" };
/** A user of each mechanism: the first has no rights at first, as USER. */
const USERS: readonly KafkaUser[] = [
  USER,
  { mechanism: "SCRAM-SHA-512", username: "writer", password: "open" },
  { mechanism: "PLAIN", username: "plain", password: "sesame" },
];
let kafka: Kafka;
let admin: Admin;
let folder: string;
let authority: Authority;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "authority-"));
  authority = new Authority(folder);
  kafka = await Kafka.start({
    secured: { tls: authority.sign("kafka"), sasl: USERS },
    // The open listener may do everything, and the users of the secured one have no rights.
    settings: {
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS",
    },
  });
  admin = new Admin({ clientId: "test", bootstrapBrokers: kafka.servers.split(",") });
});
afterAll(async () => {
  await admin?.close();
  await kafka?.stop();
  rmSync(folder, { recursive: true });
});
let namespaces = 0;

/** Variables of a node that reaches the secured listener as this user. */
const as = ({ mechanism, username, password }: KafkaUser): Record<string, string> => ({
  KAFKA_BROKERS: kafka.secured,
  KAFKA_TLS: "on",
  KAFKA_CA: authority.ca,
  KAFKA_SASL: mechanism,
  KAFKA_USER: username,
  KAFKA_PASSWORD: password,
});

carrierConformance("Kafka", async source => {
  const brokers = await newBrokers({ KAFKA_BROKERS: kafka.servers, NAMESPACE: `conform-${++namespaces}` });
  const broker = await brokers.start(source.schema());
  return { carrier: carrierOf(broker), end: () => brokers.stop() };
});

let house: KafkaHouse;
beforeEach(async () => void (house = await KafkaHouse.open({ KAFKA_BROKERS: kafka.servers })));
afterEach(() => house.brokers.stop());

/** As its retention does: whatever is in the topic now is there no longer. */
async function removeRecords(topic: string): Promise<void> {
  const partitions = Array.from({ length: 16 }, (_, partition) => ({ partition, offset: -1n }));
  await admin.deleteRecords({ topics: [{ name: topic, partitions }] });
}

const clientsOf = (broker: ServiceBroker): Promise<KafkaClients> =>
  until<KafkaClients | undefined>("Kafka answers", () => kafkaOf(broker).clients);
const settingsOf = async (topic: string): Promise<Map<string, string | null | undefined>> => {
  const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: topic };
  const [described] = await admin.describeConfigs({
    resources: [{ ...resource, configurationKeys: ["retention.ms", "cleanup.policy"] }],
  });
  return new Map(described!.configs.map(({ name, value }) => [name, value]));
};

describe("the topic", () => {
  test("is read by anybody: CloudEvents with JSON, one actor's in order", async () => {
    const broker = await house.brokers.start(house.source.schema());
    for (let i = 0; i < 20; i++) house.source.append(`${i % 3}`, TYPES[i % 3]!, { i });
    await house.published(broker);
    const messages = await kafka.consume(house.topic, 20);
    const events = house.source.log.map(({ eventId, type, at, actor, stream, data }) => ({
      key: `${actor}.${stream}`,
      value: JSON.stringify(data),
      headers: expect.objectContaining({
        "content-type": "application/json",
        ce_specversion: "1.0",
        ce_id: eventId,
        ce_type: `${type}.v1`,
        ce_time: at,
        ce_subject: `${actor}.${stream}`,
        ce_partitionkey: `${actor}.${stream}`,
      }),
    }));
    for (const stream of new Set(events.map(({ key }) => key)))
      expect(messages.filter(({ key }) => key === stream)).toEqual(events.filter(({ key }) => key === stream));
  });

  test("is made by several nodes at once, with its partitions and settings; other settings become today's", async () => {
    Object.assign(house.brokers.variables, { KAFKA_RETENTION_HOURS: "24" });
    const broker = await house.brokers.start();
    const clients = await clientsOf(broker);
    const topic = new Topic(broker, "things");
    expect(await Promise.all([1, 2, 3].map(() => topic.ensure(clients)))).toEqual([true, true, true]);
    const { topics } = await admin.metadata({ topics: [house.topic] });
    expect(topics.get(house.topic)!.partitionsCount).toBe(16);
    expect(Object.fromEntries(await settingsOf(house.topic))).toEqual({
      "retention.ms": "86400000",
      "cleanup.policy": "delete",
    });
    Object.assign(house.brokers.variables, { KAFKA_RETENTION_HOURS: "48" });
    const next = await house.brokers.start();
    expect(await new Topic(next, "things").ensure(await clientsOf(next))).toBe(true);
    await until(
      () => settingsOf(house.topic),
      settings => settings.get("retention.ms") === "172800000",
    );
  });

  test("with another number of partitions is refused by name, and consumers read the log", async () => {
    await admin.createTopics({ topics: [house.topic], partitions: 3, replicas: 1 });
    const broker = await house.brokers.start(house.source.schema(), consuming("readers", writer()));
    house.append(30);
    await house.allApplied(broker);
    await expect(new Topic(broker, "things").ensure(await clientsOf(broker))).rejects.toMatchObject({
      type: "TOPIC_PARTITIONS",
      message: expect.stringMatching(`${house.topic} has 3 partitions and KAFKA_PARTITIONS says 16`),
    });
  });

  test("a user without rights is told so, and consumers read the log; with rights to make it, it is made", async () => {
    Object.assign(house.brokers.variables, as(USER));
    const broker = await house.brokers.start(house.source.schema(), consuming("readers", writer()));
    house.append(30);
    await house.allApplied(broker);
    await expect(new Topic(broker, "things").ensure(await clientsOf(broker))).rejects.toMatchObject({
      type: "TOPIC_MISSING",
    });
    await kafka.run("org.apache.kafka.tools.AclCommand", [
      "--add",
      "--allow-principal",
      `User:${USER.username}`,
      "--operation",
      "All",
      "--topic",
      house.topic,
      "--cluster",
    ]);
    await house.onTail(broker);
  });

  test.each(USERS)("is written and read by TLS and the password of a user with $mechanism", async user => {
    const { username } = user;
    await admin.createAcls({
      creations: [
        {
          resourceType: ResourceTypes.TOPIC,
          resourceName: house.topic,
          resourcePatternType: ResourcePatternTypes.LITERAL,
          principal: `User:${username}`,
          host: "*",
          operation: AclOperations.ALL,
          permissionType: AclPermissionTypes.ALLOW,
        },
      ],
    });
    Object.assign(house.brokers.variables, as(user));
    const broker = await house.brokers.start(house.source.schema(), consuming("readers", writer()));
    house.append(30);
    await house.published(broker);
    await house.onTail(broker);
  });
});

describe("consumers", () => {
  test("P4 follow the topic without reading the log; events come whole, those with a secret too", async () => {
    const schema = house.source.schema();
    const broker = await house.brokers.start({ ...schema, metadata: { ...schema.metadata, secrets: ["token"] } });
    const feed = carrierOf(broker).open("things", { cursor: "" });
    const seen: unknown[] = [];
    const all = (): Promise<unknown> =>
      until("every event has come", async () => {
        seen.push(...(await feed.next(100)).events);
        return seen.length >= house.source.log.length;
      });
    await until("the feed follows the topic", async () => {
      const { reads } = house.source;
      house.append(1);
      await all();
      return house.source.reads === reads;
    });
    for (let i = 0; i < 500; i++) house.source.append(`${i}`, TYPES[0]!, { i, text: "é\u0000" });
    house.source.append("0", TYPES[1]!, { token: "tok_1" });
    house.source.append("0", TYPES[1]!, { text: "x".repeat(1_200_000) });
    house.source.append("0", TYPES[2]!);
    await all();
    feed.close();
    expect(seen).toEqual(JSON.parse(JSON.stringify(house.source.log)));
    expect(JSON.stringify(await kafka.consume(house.topic, house.source.log.length))).not.toContain("tok_1");
  });

  test("P4 a consumer is behind what the topic still keeps: it goes on with the log, and then with the topic", async () => {
    const held = Promise.withResolvers<void>();
    let isHeld = false;
    const own = writer();
    const slow = writer({
      async write(...given) {
        if (isHeld) await held.promise;
        return own.write!(...given);
      },
    });
    const broker = await house.brokers.start(house.source.schema(), consuming("readers", slow));
    await house.onTail(broker);
    isHeld = true;
    // More than a tail keeps: the rest waits at the broker, and is removed there.
    for (let i = 0; i < 4; i++) {
      house.append(1_000);
      await house.published(broker);
    }
    await removeRecords(house.topic);
    house.append(10);
    await house.published(broker);
    held.resolve();
    await house.allApplied(broker);
    await house.onTail(broker);
  });

  test("P4 the topic is deleted, and the broker is killed, while events flow: each is applied once, in order", async () => {
    const broker = await house.brokers.start(house.source.schema(), consuming("readers", writer()));
    await house.onTail(broker);
    house.append(200);
    await admin.deleteTopics({ topics: [house.topic] });
    house.append(200);
    await house.allApplied(broker);
    await house.onTail(broker);
    house.append(100);
    await kafka.brokers[0]!.halt();
    house.append(200);
    await house.allApplied(broker);
    expect(await broker.call("things.relay")).toMatchObject({ isConnected: expect.any(Boolean) });
    await kafka.brokers[0]!.start();
    await house.published(broker);
    await house.onTail(broker);
  });
});
