// Public events in a topic, as a program outside reads it.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newBrokers } from "../../testing/broker.ts";
import { Kafka } from "../../testing/servers.ts";
import { makeTopics } from "../carriers/kafka/topics.ts";
import { desk, newSource, PUBLIC } from "./house.fixture.ts";

const isAsked = process.env["KAFKA"] === "all";
// A Kafka of its own takes ten seconds of CPU: `npm run test:kafka` tries it.
const testIfAsked = isAsked ? test : test.skip;
const note = isAsked ? "" : " (only with `npm run test:kafka`)";

let kafka: Kafka;
beforeAll(async () => void (isAsked && (kafka = await Kafka.start())));
afterAll(() => kafka?.stop());

testIfAsked(
  `a topic gets public events as CloudEvents, those of an actor in order, whatever carries the events of the house${note}`,
  async () => {
    const brokers = await newBrokers({ CARRIER: "local", KAFKA_BROKERS: kafka.servers, NAMESPACE: "library" });
    const source = newSource();
    const broker = await brokers.start(source.schema(), desk());
    const made: string[] = [];
    await makeTopics(broker, topic => void made.push(topic));
    expect(made).toEqual(["library.public.loans"]);
    for (let n = 1; n <= 20; n++) source.append(`${n % 3}`, "loan.ended", n === 7 ? { secret: true } : { n });
    const messages = await kafka.consume("library.public.loans", 19);
    expect(messages.map(({ headers }) => headers?.["ce_type"])).toEqual(messages.map(() => `${PUBLIC}.v1`));
    const byLoan = Map.groupBy(messages, ({ key }) => key!);
    for (const loan of [0, 1, 2])
      expect(byLoan.get(`loan.${loan}`)!.map(({ value }) => JSON.parse(value))).toEqual(
        Array.from({ length: 20 }, (_, i) => i + 1)
          .filter(n => n % 3 === loan && n !== 7)
          .map(n => ({ loan: `${loan}`, n })),
      );
    expect(messages[0]!.headers).toMatchObject({ ce_source: "/library/desk", "content-type": "application/json" });
    await brokers.stop();
  },
  120_000,
);
