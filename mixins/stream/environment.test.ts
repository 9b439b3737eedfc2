import { expect, test } from "@jest/globals";
import { readEnvironment } from "../kernel/index.ts";
import { meanwhileWithout } from "./environment.ts";

test("an outage of a server that does not move durable events holds up no consumer, and is not said to", () => {
  const both = { NATS_URL: "nats://bus:4222", KAFKA_BROKERS: "kafka:9092" };
  const told = (env: Record<string, string>) =>
    (["kafka", "jetstream"] as const).map(carrier => meanwhileWithout(carrier, readEnvironment(env)));
  const [carries, serves] = ["consumers read the logs", "messages from outside and public events wait"];
  expect(told(both)).toEqual([carries, serves]);
  expect(told({ ...both, CARRIER: "jetstream" })).toEqual([serves, carries]);
});
