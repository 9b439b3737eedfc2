// Three brokers, with a copy of everything on each: one is frozen, one is killed, and the relay and its consumers go on.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Admin } from "@platformatic/kafka";
import { Kafka } from "../../../testing/servers.ts";
import { consuming, writer } from "../../consumer/writer.fixture.ts";
import { KafkaHouse } from "../kafka.fixture.ts";

const isAsked = process.env["KAFKA"] === "all";
// Three brokers take half a minute of CPU: `npm run test:kafka` tries them.
const testIfAsked = isAsked ? test : test.skip;
const note = isAsked ? "" : " (only with `npm run test:kafka`)";

let kafka: Kafka;
let house: KafkaHouse;
beforeAll(async () => {
  kafka = await Kafka.start({ brokers: 3 });
  house = await KafkaHouse.open({ KAFKA_BROKERS: kafka.servers, KAFKA_REPLICATION: "3" });
});
afterAll(async () => {
  await house?.brokers.stop();
  await kafka?.stop();
});

testIfAsked(
  `P4 one broker of three is frozen, then another is killed: each event is applied once, in order${note}`,
  async () => {
    const broker = await house.brokers.start(house.source.schema(), consuming("readers", writer()));
    await house.onTail(broker);
    const admin = new Admin({ clientId: "test", bootstrapBrokers: kafka.servers.split(",") });
    const { topics, controllerId } = await admin.metadata({ topics: [house.topic] });
    await admin.close();
    const { partitions } = topics.get(house.topic)!;
    expect(new Set(partitions.map(({ leader }) => leader)).size).toBe(3);
    expect(partitions[0]!.replicas).toHaveLength(3);

    const [controller, other] = kafka.brokers.toSorted(({ id }) => (id === controllerId ? -1 : 1));
    controller!.freeze();
    house.append(200);
    await house.allApplied(broker);
    await house.published(broker);
    controller!.thaw();
    await house.onTail(broker);

    house.append(50);
    await other!.halt();
    house.append(200);
    await house.allApplied(broker);
    await house.published(broker);
    await house.onTail(broker);
  },
);
