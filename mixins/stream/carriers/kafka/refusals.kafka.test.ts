// Brokers that refuse something, for a reason that stays until a person acts: consumers read the log meanwhile, health says what
// to do, and once that is done the node goes on by itself.
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import {
  AclOperations,
  AclPermissionTypes,
  Admin,
  ResourcePatternTypes,
  ResourceTypes,
  type AclOperationValue,
} from "@platformatic/kafka";
import type { ServiceBroker } from "moleculer";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority, freePort, Kafka, type Certificate, type KafkaUser } from "../../../testing/servers.ts";
import { consuming, TYPES, writer } from "../../consumer/writer.fixture.ts";
import { KafkaHouse } from "../kafka.fixture.ts";

const isAsked = process.env["KAFKA"] === "all";
// It starts a Kafka several times: `npm run test:kafka` tries it.
const testIfAsked = isAsked ? test : test.skip;
const note = isAsked ? "" : " (only with `npm run test:kafka`)";

const USER: KafkaUser = { mechanism: "PLAIN", username: "valence", password: "sesame" };
let folder: string;
let authority: Authority;
let store: string;
let kafka: Kafka;
let admin: Admin;
let house: KafkaHouse;

beforeAll(async () => {
  if (!isAsked) return;
  folder = mkdtempSync(join(tmpdir(), "refusals-"));
  authority = new Authority(folder);
  store = join(folder, "store.pem");
  const server = authority.sign("kafka", "ca", -1);
  inStore(server);
  kafka = await Kafka.start({
    secured: { tls: server, sasl: USER },
    settings: {
      "listener.name.secured.ssl.keystore.location": store,
      "listener.name.secured.ssl.client.auth": "required",
      "listener.name.secured.ssl.truststore.type": "PEM",
      "listener.name.secured.ssl.truststore.location": authority.ca,
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS",
    },
  });
  admin = new Admin({ clientId: "test", bootstrapBrokers: kafka.servers.split(",") });
});
afterEach(() => house?.brokers.stop());
afterAll(async () => {
  if (!isAsked) return;
  await admin?.close();
  await kafka?.stop();
  rmSync(folder, { recursive: true });
});

let isRenewed = false;
/** From here on the broker has a certificate that is valid. */
async function renew(): Promise<void> {
  if (isRenewed) return;
  await kafka.brokers[0]!.stop();
  inStore(authority.sign("kafka"));
  await kafka.brokers[0]!.start();
  isRenewed = true;
}

/** The broker shows this certificate from its next start on. */
function inStore({ key, cert }: Certificate): void {
  writeFileSync(store, readFileSync(key, "utf8") + readFileSync(cert, "utf8"));
}
const secured = ({ key, cert }: Certificate): Record<string, string> => ({
  KAFKA_BROKERS: kafka.secured,
  KAFKA_TLS: "on",
  KAFKA_CA: authority.ca,
  KAFKA_KEY: key,
  KAFKA_CERT: cert,
  KAFKA_SASL: USER.mechanism,
  KAFKA_USER: USER.username,
  KAFKA_PASSWORD: USER.password,
});
const allow = (...operations: AclOperationValue[]): Promise<void> =>
  admin.createAcls({
    creations: operations.map(operation => ({
      resourceType: ResourceTypes.TOPIC,
      resourceName: house.topic,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: `User:${USER.username}`,
      host: "*",
      operation,
      permissionType: AclPermissionTypes.ALLOW,
    })),
  });

/** An owner and its reader on a Kafka that is reached like this; events reach the reader whatever the brokers say. */
async function served(env: Record<string, string>): Promise<ServiceBroker> {
  house = await KafkaHouse.open(env);
  const broker = await house.brokers.start(house.source.schema(), consuming("readers", writer()));
  house.append(30);
  await house.allApplied(broker);
  return broker;
}

testIfAsked(`P4 a wrong address and a wrong listener are told in words${note}`, async () => {
  const port = await freePort();
  const refused = async (env: Record<string, string>, words: RegExp): Promise<void> => {
    const broker = await served(env);
    await house.told(broker, "carrier", "FAIL", words);
    await house.brokers.stop();
  };
  await refused({ KAFKA_BROKERS: `127.0.0.1:${port}` }, RegExp(`nothing listens at 127.0.0.1:${port}.*KAFKA_BROKERS`));
  await refused({ KAFKA_BROKERS: "nowhere.invalid:9092" }, /no host nowhere\.invalid.*KAFKA_BROKERS/);
  await refused({ KAFKA_BROKERS: kafka.secured }, /has TLS.*KAFKA_TLS=on/);
  await refused({ KAFKA_BROKERS: kafka.servers, KAFKA_TLS: "on" }, /has no TLS.*KAFKA_TLS/);
});

testIfAsked(
  `P4 certificates expire, the broker's and then our own: the process goes on, and takes new ones without a start${note}`,
  async () => {
    const own = { cert: join(folder, "own.crt"), key: join(folder, "own.key") };
    const use = ({ cert, key }: Certificate): void => {
      copyFileSync(cert, own.cert);
      copyFileSync(key, own.key);
    };
    use(authority.sign("old", "ca", -1));
    const broker = await served(secured(own));
    await house.told(broker, "carrier", "FAIL", /certificate of a broker has expired/);

    await renew();
    await house.told(broker, "carrier", "FAIL", /refuse the certificate of this process.*KAFKA_CERT/);
    house.append(10);
    await house.allApplied(broker);

    await allow(AclOperations.ALL);
    use(authority.sign("new"));
    await house.told(broker, "carrier", "ok", /connected/);
    await house.published(broker);
    await house.onTail(broker);
  },
);

testIfAsked(
  `P4 a user has another password, may not write, then not read: health says what is missing${note}`,
  async () => {
    await renew();
    const stranger = await served({ ...secured(authority.sign("node")), KAFKA_PASSWORD: "guessed" });
    await house.told(stranger, "carrier", "FAIL", /the user or its password.*KAFKA_PASSWORD/);
    await house.brokers.stop();
    const broker = await served(secured(authority.sign("node")));
    await house.told(broker, "relay", "FAIL", /may not make it.*npx valence migrate/);
    await admin.createTopics({ topics: [house.topic], partitions: 16, replicas: 1 });
    await allow(AclOperations.DESCRIBE);
    await house.told(
      broker,
      "relay",
      "FAIL",
      /takes no events: the user (may not write|has no right).*docs\/kafka\.md/,
    );
    await allow(AclOperations.WRITE);
    await house.told(broker, "relay", "ok", /this node publishes/);
    await house.published(broker);
    await house.told(broker, "carrier", "warn", /cannot be read.*the user has no right.*docs\/kafka\.md/);
    house.append(10);
    await house.allApplied(broker);
    await allow(AclOperations.READ);
    await house.onTail(broker);
    await house.told(broker, "carrier", "ok", /connected/);
  },
);

testIfAsked(
  `P4 a topic that takes less than our records: all are published, the largest without their data${note}`,
  async () => {
    const broker = await served({ KAFKA_BROKERS: kafka.servers });
    await house.onTail(broker);
    const ofTopic = ["--entity-type", "topics", "--entity-name", house.topic];
    const alter = ["--alter", "--add-config", "max.message.bytes=20000", ...ofTopic];
    await kafka.run("org.apache.kafka.tools.ConfigCommand", alter);
    // Texts that no compression makes smaller, in one stream: all are of one partition, and of one batch.
    for (let i = 0; i < 40; i++)
      house.source.append("0", TYPES[i % 3]!, { text: randomText(i === 20 ? 40_000 : 2_000) });
    await house.allApplied(broker);
    await house.published(broker);
    await house.told(broker, "relay", "ok", /this node publishes/);
    await house.onTail(broker);
    const records = await kafka.consume(house.topic, house.source.log.length);
    const own = records.filter(({ headers }) => headers?.["ce_id"]?.startsWith("thing.0@"));
    const ids = [...new Set(own.map(({ headers }) => headers!["ce_id"]))];
    expect(ids).toEqual(
      house.source.log
        .filter(({ stream }) => stream === "0")
        .map(({ eventId }) => eventId)
        .slice(0, ids.length),
    );
    expect(own.filter(({ headers }) => headers!["ce_withheld"] === "*")).toHaveLength(1);
  },
);

testIfAsked(
  `P4 a topic with other partitions takes nothing, health says so, and once it is deleted it is made anew${note}`,
  async () => {
    house = await KafkaHouse.open({ KAFKA_BROKERS: kafka.servers });
    await admin.createTopics({ topics: [house.topic], partitions: 3, replicas: 1 });
    const broker = await house.brokers.start(house.source.schema(), consuming("readers", writer()));
    house.append(30);
    await house.allApplied(broker);
    await house.told(broker, "relay", "FAIL", /3 partitions and KAFKA_PARTITIONS says 16.*delete the topic/);
    await admin.deleteTopics({ topics: [house.topic] });
    await house.published(broker);
    await house.onTail(broker);
    await house.told(broker, "relay", "ok", /this node publishes/);
  },
);

const randomText = (length: number): string =>
  Array.from({ length }, () => String.fromCharCode(33 + Math.floor(Math.random() * 90))).join("");
