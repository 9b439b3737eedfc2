// The carrier on a Kafka of one broker: its promises, its topics, and their readers outside.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { Admin } from "@platformatic/kafka";
import type { ServiceBroker } from "moleculer";
import { until } from "../../testing/index.ts";
import { newBrokers } from "../../testing/broker.ts";
import { Kafka } from "../../testing/servers.ts";
import { appliedIn, consuming, TYPES, writer } from "../consumer/writer.fixture.ts";
import { Source } from "../log/source.fixture.ts";
import { carrierConformance } from "./carrier.conformance.ts";
import { carrierOf } from "./resolve.ts";

let kafka: Kafka;
let admin: Admin;
beforeAll(async () => {
  kafka = await Kafka.start();
  admin = new Admin({ clientId: "test", bootstrapBrokers: kafka.servers.split(",") });
});
afterAll(async () => {
  await admin?.close();
  await kafka?.stop();
});
let namespaces = 0;

carrierConformance("Kafka", async source => {
  const house = await newBrokers();
  Object.assign(house.variables, { KAFKA_BROKERS: kafka.servers, NAMESPACE: `conform-${++namespaces}` });
  const broker = await house.start(source.schema());
  return { carrier: carrierOf(broker), end: () => house.stop() };
});
