// A start of the shop refuses a wrong environment, with everything that the runtime and its services declare.
import { expect, test } from "@jest/globals";
import { metricsEnvironment } from "@valence/runtime/metrics";
import { nodeEnvironment, readEnvironment } from "@valence/runtime/kernel";
import { redisEnvironment } from "@valence/runtime/redis";
import { streamEnvironment } from "@valence/runtime/stream";
import { declaredIn } from "../../mixins/cli/declared.ts";
import { serviceNames } from "../../mixins/operations/services.ts";
import { accountsEnvironment } from "@valence/runtime/accounts";

const all = await declaredIn("services", serviceNames("services"));

test.each([
  ["ORDERS_DATABASE_URL", "sqlite:"],
  ["ORDERS_DATABASE_URL", "mysql://x"],
  ["ORDERS_DATABASE_URL", ":memory:"],
  ["ORDERS_DATABASE_URL", "sqlite::memory:"],
  ["ORDERS_DATABASE_URL", "sqlite:file:orders?mode=memory"],
  ["DATABASE_URL", "sqlite: "],
  ["DATABASE_URL", "mysql://localhost/shop"],
  ["DATABASE_URL", "postgres://u@localhost/a,postgres://u@localhost/b"],
  ["ODRERS_DATABASE_URL", "sqlite:x"],
  ["ORDER_DATABASE_URL", "sqlite:x"],
  ["ORDERS_DATABSE_URL", "sqlite:x"],
  ["ORDERS_VIEWS_DATABASE_REPLICA_URL", "postgres://u@localhost/shop"],
  ["DATABASE_URL", "postgres://u@localhost/shop?statement_timeout=0"],
  ["DATABASE_URL", "postgres://u@localhost/shop?search_path=shop"],
  ["DATABASE_URL", "postgres://u@localhost/shop?options=-c%20role%3Dme"],
  ["DATABASE_REPLICA_URL", "postgres://u@localhost/shop?client_encoding=latin1"],
  ["ORDERS_DATABASE_URL", "postgres://u@localhost/a,postgres://u@localhost/b?connect_timeout=1"],
  ["NATS_URL", "nats://u:12/secret@host:4222"],
  ["DATA_DIR", "file:data"],
  ["DATABASE_POOL_SIZE", "0"],
  ["SERVICES", "orders,odrers"],
  ["PORT", "abc"],
  ["PORT", "0x10"],
  ["PORT", "1e3"],
  ["PORT", "-1"],
  ["PORT", "65536"],
  ["PORTT", "3000"],
  ["HEALTH_PORT", "65536"],
  ["HEALTH_PORT", "off"],
  ["HEALTH_PORT", "3000"],
  ["TRUSTED_PROXIES", "11"],
  ["PAYMENT_PROVIDER_URL", "ftp://x"],
  ["PAYMENT_PROVIDER_URL", "http://user:s3cr3t@host"],
  ["PAYMENT_PROVIDER_URL", "http://host/?key=1"],
  ["PAYMENT_WEBHOOK_SECRET", "short"],
  ["PAYMENT_PENDING_MS", "99"],
  ["ORDERS_DATABASE_URL", "sqlite:a,sqlite:b"],
  ["SEED", "maybe"],
  ["ADMIN_EMAIL", "nobody"],
  ["ADMIN_EMAIL", "admin@localhost"],
  ["ADMIN_EMAIL", `${"a".repeat(64)}@${"b.".repeat(95)}example`],
  ["ADMIN_PASSWORD", "🐘🐘🐘🐘"],
  ["METRICS_TOKEN", "short"],
  ["METRICS_TOKEN", "with a blank in it, long"],
  ["METRIC_TOKEN", "a-token-that-is-long-enough"],
  ["FAILPOINTS", "garbage"],
  ["FAILPOINTS", "relay:published=kill"],
  ["REDIS_URL", "localhost:6379"],
  ["REDIS_URL", "http://localhost:6379"],
  ["REDIS_URL", "redis://"],
  ["REDIS_URL", "redis://localhost/shop"],
  ["REDIS_URL", "redis://localhost?enableOfflineQueue=true"],
  ["LOGLEVEL", "loud"],
  ["NODEID", "a node"],
  ["WORKERS", "65"],
  ["REQUEST_TIMEOUT_MS", "0"],
  ["REQUEST_TIMEOUT_MS", "99"],
  ["SHUTDOWN_TIMEOUT_MS", "600001"],
  ["CARRIER", "pigeon"],
  ["CARRIER", "jetstream"],
  ["CARRIER", "kafka"],
  ["KAFKA_BROKERS", "kafka"],
  ["KAFKA_BROKERS", "kafka:9092, other:9092"],
  ["KAFKA_SASL", "GSSAPI"],
  ["KAFKA_SASL", "PLAIN"],
  ["KAFKA_PARTITIONS", "0"],
])("%s=%s is refused by name", (variable, value) =>
  expect(() => readEnvironment({ [variable]: value }, all)).toThrow(
    expect.objectContaining({ name: "EnvironmentError", message: expect.stringMatching(`^${variable}="`) }),
  ),
);

test("no health port is open unless HEALTH_PORT names one", () => {
  const healthPortIn = (env: Record<string, string>) => nodeEnvironment.of(readEnvironment(env, all)).HEALTH_PORT;
  expect(healthPortIn({})).toBeUndefined();
  expect(healthPortIn({ HEALTH_PORT: "0" })).toBe(0);
  // A process without the gateway does not listen on PORT.
  expect(healthPortIn({ HEALTH_PORT: "3000", SERVICES: "orders" })).toBe(3_000);
});

test("a password is taken as it is, blanks at its ends too", () => {
  const environment = readEnvironment({ ADMIN_PASSWORD: " correct horse " }, all);
  expect(accountsEnvironment.of(environment).ADMIN_PASSWORD).toBe(" correct horse ");
});

test.each(["redis://localhost", "redis://:secret@127.0.0.1:6380/3", "rediss://user:secret@redis.example"])(
  "REDIS_URL=%s is taken as it is",
  url => expect(redisEnvironment.of(readEnvironment({ REDIS_URL: url }, all)).REDIS_URL).toBe(url),
);

test("durable events go by Kafka where there is one, else by JetStream where there is NATS, unless CARRIER says otherwise", () => {
  const carrierIn = (env: Record<string, string>) => streamEnvironment.of(readEnvironment(env, all)).CARRIER;
  const NATS_URL = "nats://localhost:4222";
  expect(carrierIn({})).toBe("local");
  expect(carrierIn({ NATS_URL })).toBe("jetstream");
  expect(carrierIn({ NATS_URL, CARRIER: "local" })).toBe("local");
  expect(carrierIn({ NATS_URL, KAFKA_BROKERS: "localhost:9092" })).toBe("kafka");
  expect(carrierIn({ NATS_URL, KAFKA_BROKERS: "localhost:9092", CARRIER: "jetstream" })).toBe("jetstream");
});

test("the environment that a broker lists has no secret in it", () => {
  const env = {
    NATS_URL: "nats://shop:s3cr3t@127.0.0.1:4222",
    REDIS_URL: "redis://:s3cr3t@127.0.0.1:6379",
    DATABASE_URL: "postgres://shop:s3cr3t@127.0.0.1/shop",
    ORDERS_DATABASE_URL: "postgres://shop:s3cr3t@127.0.0.1/orders",
    ADMIN_PASSWORD: "s3cr3t-s3cr3t",
    METRICS_TOKEN: "s3cr3t-s3cr3t-s3cr3t",
    PAYMENT_WEBHOOK_SECRET: "s3cr3t-s3cr3t-s3cr3t",
  };
  const environment = readEnvironment(env, all);
  expect(environment).toMatchObject({ PORT: 3_000, ADMIN_EMAIL: "admin@example.com" });
  expect(metricsEnvironment.of(environment).METRICS_TOKEN).toBe(env.METRICS_TOKEN);
  expect(JSON.stringify(environment)).not.toContain("s3cr3t");
});
