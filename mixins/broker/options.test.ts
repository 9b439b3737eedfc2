import { expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { nodeEnvironment, readEnvironment } from "../kernel/index.ts";
import { brokerOptions } from "./index.ts";

test("the options that a broker shows to the REPL and to other nodes have no password in them", async () => {
  const environment = readEnvironment({
    NATS_URL: "nats://app:s3cr3t@127.0.0.1:4222",
    REDIS_URL: "redis://:s3cr3t@127.0.0.1:6379",
    ADMIN_PASSWORD: "s3cr3t-s3cr3t",
    DATABASE_URL: "postgres://app:s3cr3t@127.0.0.1/app",
  });
  expect(nodeEnvironment.of(environment).NATS_URL).toContain("s3cr3t");
  const { transporter, ...options } = brokerOptions(environment);
  // As `$node.options` writes it.
  expect(JSON.stringify({ transporter, ...options })).not.toContain("s3cr3t");
  const broker = new ServiceBroker({ ...options, cacher: false, logger: false });
  await broker.start();
  const listed = await broker.call("$node.options");
  await broker.stop();
  expect(listed).toMatchObject({ valence: { REQUEST_TIMEOUT_MS: 10_000 } });
  expect(JSON.stringify(listed)).not.toContain("s3cr3t");
  // As the REPL's `info` writes them.
  expect(Object.entries(environment).flat().join()).not.toContain("s3cr3t");
});
