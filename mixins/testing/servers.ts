// The test kit's servers, databases and processes: real ones, on free ports and in temporary folders. None outlives the
// test file that started it.
export { isOnPostgres, newDatabases, postgresUrl, type Databases } from "./databases.ts";
export { recordsAtRest, recordsOf } from "./records.ts";
export { Authority, type Certificate } from "./servers/authority.ts";
export { Browser, type Page } from "./servers/browser.ts";
export { Collector, type CollectedSpan } from "./servers/collector.ts";
export { Child } from "./servers/child.ts";
export { buildJaeger, builtJaeger, Jaeger, type JaegerSpan } from "./servers/jaeger.ts";
export {
  isOnKafka,
  Kafka,
  KafkaBroker,
  type ConsoleMessage,
  type KafkaOptions,
  type KafkaUser,
} from "./servers/kafka.ts";
export { fetchKafka, kafkaMissing } from "./servers/kafka-jars.ts";
export { Nginx } from "./servers/nginx.ts";
export { Nats } from "./servers/nats.ts";
export { PgBouncer } from "./servers/pgbouncer.ts";
export { freePort } from "./servers/ports.ts";
export { newDatabase, Postgres, query, type PostgresOptions } from "./servers/postgres.ts";
export { program, type Program } from "./servers/programs.ts";
export { Proxy } from "./servers/proxy.ts";
export { connectedRedis, RedisServer } from "./servers/redis.ts";
export { Varnish } from "./servers/varnish.ts";
