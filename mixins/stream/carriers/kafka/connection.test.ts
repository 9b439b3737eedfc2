import { expect, test } from "@jest/globals";
import { freePort } from "../../../testing/servers.ts";
import { KafkaConnection } from "./connection.ts";

test("a node that stops does not wait for brokers that are silent, and takes an answer that comes", async () => {
  const bootstrapBrokers = [`127.0.0.1:${await freePort()}`];
  const connection = new KafkaConnection(() => ({ clientId: "test", bootstrapBrokers }), "nothing waits");
  const silent = new Promise<string>(() => {});
  const answer = Promise.withResolvers<string>();
  const asked = [silent, answer.promise].map(request => connection.beforeLeaving(request));
  const ends = Promise.allSettled(asked);
  connection.leave();
  answer.resolve("stored");
  expect(await ends).toMatchObject([
    { status: "rejected", reason: { message: "the node stops, and Kafka does not answer" } },
    { status: "fulfilled", value: "stored" },
  ]);
  // What begins when it has been told waits no longer.
  await expect(connection.beforeLeaving(silent)).rejects.toThrow("does not answer");
  await connection.close();
});
