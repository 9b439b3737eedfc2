// Three brokers, with a copy of everything on each: they freeze, are killed, are restarted and have full disks, and the relay and
// its consumers go on.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { Admin } from "@platformatic/kafka";
import type { ServiceBroker } from "moleculer";
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
  if (isAsked) kafka = await Kafka.start({ brokers: 3 });
});
beforeEach(async () => {
  if (isAsked) house = await KafkaHouse.open({ KAFKA_BROKERS: kafka.servers, KAFKA_REPLICATION: "3" });
});
afterEach(() => house?.brokers.stop());
afterAll(() => kafka?.stop());

const node = (): Promise<ServiceBroker> =>
  house.brokers.start(house.source.schema(), consuming("readers", writer({ limits: SOON })));
/** A consumer that notices soon when nodes come and go. */
const SOON = { leaseMs: 600, lookMs: 50, retryMinMs: 5, retryMaxMs: 20 };

testIfAsked(
  `P4 of three brokers the controller is frozen, then another is killed: each event is applied once, in order${note}`,
  async () => {
    const broker = await node();
    await house.onTail(broker);
    const admin = new Admin({ clientId: "test", bootstrapBrokers: kafka.servers.split(",") });
    const { topics } = await admin.metadata({ topics: [house.topic] });
    await admin.close();
    // Each broker leads some partitions: whichever is lost, they get other leaders.
    const { partitions } = topics.get(house.topic)!;
    expect(new Set(partitions.map(({ leader }) => leader)).size).toBe(3);
    expect(partitions[0]!.replicas).toHaveLength(3);

    const controller = await kafka.controller();
    controller.freeze();
    house.append(200);
    await house.allApplied(broker);
    await house.published(broker);
    const other = await kafka.controller();
    expect(other.id).not.toBe(controller.id);
    controller.thaw();
    await house.onTail(broker);

    house.append(50);
    await other.halt();
    house.append(200);
    await house.allApplied(broker);
    await house.published(broker);
    await house.onTail(broker);
    await other.start();
  },
);

testIfAsked(
  `P4 each broker is restarted in turn, and nodes come and go meanwhile: each event is applied once, in order${note}`,
  async () => {
    const first = await node();
    await house.onTail(first);
    const load = setInterval(() => house.append(2), 20);
    try {
      for (const broker of kafka.brokers) {
        const second = await node();
        await broker.stop();
        await broker.start();
        await second.stop();
      }
    } finally {
      clearInterval(load);
    }
    await house.allApplied(first);
    await house.published(first);
    await house.onTail(first);
  },
  // Each restart takes a Java ten seconds on a loaded machine.
  240_000,
);

testIfAsked(
  `P4 a node stops while all brokers are silent, and another one publishes what it has left${note}`,
  async () => {
    const first = await node();
    await house.onTail(first);
    for (const broker of kafka.brokers) broker.freeze();
    house.append(50);
    await first.stop();
    for (const broker of kafka.brokers) broker.thaw();
    const second = await node();
    await house.allApplied(second);
    await house.published(second);
    await house.onTail(second);
  },
);

testIfAsked(
  `P4 the disks of two brokers are full: nothing is published, health says so, and later it is${note}`,
  async () => {
    const broker = await node();
    await house.onTail(broker);
    const [, second, third] = kafka.brokers;
    const full = Promise.all([second!.fillDisk(), third!.fillDisk()]);
    const load = setInterval(() => house.append(5), 20);
    try {
      await full;
      await house.told(broker, "relay", "FAIL", /has not stored a page|takes no events/);
    } finally {
      clearInterval(load);
    }
    await house.allApplied(broker);
    await Promise.all([second!.start(), third!.start()]);
    await house.published(broker);
    await house.onTail(broker);
    await house.told(broker, "relay", "ok", /this node publishes/);
  },
  120_000,
);
