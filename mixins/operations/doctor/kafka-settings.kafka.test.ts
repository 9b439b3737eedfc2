// The doctor at a Kafka that runs.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Admin } from "@platformatic/kafka";
import { readEnvironment } from "../../kernel/index.ts";
import { freePort, Kafka } from "../../testing/servers.ts";
import { lineOf } from "./finding.ts";
import { kafkaFindings } from "./kafka-settings.ts";

const isAsked = process.env["KAFKA"] === "all";
// It starts a Kafka for a few lines: `npm run test:kafka` tries it.
const testIfAsked = isAsked ? test : test.skip;

let kafka: Kafka;
beforeAll(async () => {
  if (!isAsked) return;
  kafka = await Kafka.start();
  const admin = new Admin({ clientId: "test", bootstrapBrokers: kafka.servers.split(",") });
  const settings = { "retention.ms": "3600000", "unclean.leader.election.enable": "true" };
  const configs = Object.entries(settings).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ topics: ["library.loans"], partitions: 2, replicas: 1, configs });
  await admin.close();
});
afterAll(() => kafka?.stop());

const linesOf = async (servers: string): Promise<string> => {
  const environment = readEnvironment({ KAFKA_BROKERS: servers, NAMESPACE: "library" });
  const { results } = (await kafkaFindings(environment, ["loans", "fines"]))!;
  return results.map(result => lineOf({ subject: "kafka", ...result })).join("\n");
};

testIfAsked("topics that would lose records are found, and so is one that is not there", async () => {
  const lines = await linesOf(kafka.servers);
  expect(lines).toMatch(/ok .*the cluster answers: 1 broker/);
  expect(lines).toMatch(/library\.loans keeps events for 60 min/);
  expect(lines).toMatch(/library\.loans may be led by a copy that lacks events/);
  expect(lines).toMatch(/library\.fines cannot be seen \(it is missing\)/);
});

testIfAsked("a Kafka that is away is a warning, with what to do", async () => {
  expect(await linesOf(`127.0.0.1:${await freePort()}`)).toMatch(/warn .*nothing listens at 127.*KAFKA_BROKERS/);
});
