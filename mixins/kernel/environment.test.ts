import { expect, test } from "@jest/globals";
import { readEnvironment } from "./index.ts";

test.each([
  ["ORDERS_DATABASE_URL", "sqlite:"],
  ["ORDERS_DATABASE_URL", ":memory:"],
  ["ORDERS_DATABASE_URL", "sqlite::memory:"],
  ["ORDERS_DATABASE_URL", "sqlite:file:orders?mode=memory"],
  ["DATABASE_URL", "sqlite: "],
  ["ODRERS_DATABASE_URL", "sqlite:x"],
  ["ORDER_DATABASE_URL", "sqlite:x"],
  ["ORDERS_VIEWS_DATABASE_REPLICA_URL", "postgres://u@localhost/shop"],
  ["DATABASE_URL", "postgres://u@localhost/shop?statement_timeout=0"],
  ["DATABASE_URL", "postgres://u@localhost/shop?search_path=shop"],
  ["DATABASE_URL", "postgres://u@localhost/shop?options=-c%20role%3Dme"],
  ["DATABASE_REPLICA_URL", "postgres://u@localhost/shop?client_encoding=latin1"],
  ["ORDERS_DATABASE_URL", "postgres://u@localhost/a,postgres://u@localhost/b?connect_timeout=1"],
  ["NATS_URL", "nats://u:12/secret@host:4222"],
  ["DATA_DIR", "file:data"],
  ["SERVICES", "orders,odrers"],
  ["PORT", "0x10"],
  ["PORT", "1e3"],
  ["PORT", "-1"],
  ["PORT", "65536"],
  ["HEALTH_PORT", "65536"],
  ["HEALTH_PORT", "off"],
  ["HEALTH_PORT", "3000"],
  ["PAYMENT_PROVIDER_URL", "http://user:s3cr3t@host"],
  ["PAYMENT_PROVIDER_URL", "http://host/?key=1"],
  ["ORDERS_DATABASE_URL", "sqlite:a,sqlite:b"],
  ["ADMIN_EMAIL", "admin@localhost"],
  ["ADMIN_EMAIL", `${"a".repeat(64)}@${"b.".repeat(95)}example`],
  ["ADMIN_PASSWORD", "🐘🐘🐘🐘"],
  ["METRICS_TOKEN", "short"],
  ["METRICS_TOKEN", "with a blank in it, long"],
  ["FAILPOINTS", "garbage"],
  ["REDIS_URL", "localhost:6379"],
  ["REDIS_URL", "http://localhost:6379"],
  ["REDIS_URL", "redis://"],
  ["REDIS_URL", "redis://localhost/shop"],
  ["REDIS_URL", "redis://localhost?enableOfflineQueue=true"],
  ["CARRIER", "pigeon"],
  ["CARRIER", "jetstream"],
])("%s=%s is refused by name", (variable, value) =>
  expect(() => readEnvironment({ [variable]: value }, ["orders", "order-views"])).toThrow(
    expect.objectContaining({ name: "EnvironmentError", message: expect.stringMatching(`^${variable}="`) }),
  ),
);

test("a variable of one service wins over the one for all, and says so", () => {
  const { databaseOf, databaseVariableOf } = readEnvironment(
    { DATA_DIR: "d", DATABASE_URL: "sqlite:all", ORDER_VIEWS_DATABASE_URL: "sqlite:views.sqlite" },
    ["orders", "order-views"],
  );
  expect(databaseOf("orders")).toEqual({ kind: "sqlite", filename: "all/orders.sqlite" });
  expect(databaseOf("order-views")).toEqual({ kind: "sqlite", filename: "views.sqlite" });
  expect(["orders", "order-views"].map(databaseVariableOf)).toEqual(["DATABASE_URL", "ORDER_VIEWS_DATABASE_URL"]);
  expect(readEnvironment({}).databaseVariableOf("orders")).toBe("DATA_DIR");
});

test.each(["TEST_DATABASE_URL", "SHADOW_DATABASE_URL", "APP_DATABASE_URL", "TEST_DATABASE_REPLICA_URL"])(
  "%s is another tool's, whatever it says",
  name => {
    const env = { [name]: "mysql://root@localhost/test" };
    for (const known of [undefined, ["api", "orders", "order-views", "seed"]])
      expect(readEnvironment(env, known).databaseOf("orders")).toEqual({
        kind: "sqlite",
        filename: "data/orders.sqlite",
      });
  },
);

test("a location that nobody has checked is checked when it is asked for", () => {
  const { databaseOf } = readEnvironment({ ORDERS_DATABASE_URL: "mysql://root:secret@localhost/test" });
  expect(databaseOf("catalog").kind).toBe("sqlite");
  expect(() => databaseOf("orders")).toThrow('ORDERS_DATABASE_URL="mysql://…@localhost/test": expected');
});

test("health is told nowhere unless a port is named", () => {
  expect(readEnvironment({}).healthPort).toBeUndefined();
  expect(readEnvironment({ HEALTH_PORT: "0" }).healthPort).toBe(0);
  // A process without the gateway does not listen on PORT.
  expect(readEnvironment({ HEALTH_PORT: "3000", SERVICES: "orders" }).healthPort).toBe(3_000);
});

test("a password is taken as it is, blanks at its ends too", () =>
  expect(readEnvironment({ ADMIN_PASSWORD: " correct horse " }).adminPassword).toBe(" correct horse "));

test.each(["redis://localhost", "redis://:secret@127.0.0.1:6380/3", "rediss://user:secret@redis.example"])(
  "REDIS_URL=%s is taken as it is",
  url => expect(readEnvironment({ REDIS_URL: url }).redisUrl).toBe(url),
);

test("durable events go by JetStream where there is NATS, unless it is said otherwise", () => {
  const NATS_URL = "nats://localhost:4222";
  expect(readEnvironment({}).carrier).toBe("local");
  expect(readEnvironment({ NATS_URL }).carrier).toBe("jetstream");
  expect(readEnvironment({ NATS_URL, CARRIER: "local" }).carrier).toBe("local");
});
