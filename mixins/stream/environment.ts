// The carrier of durable events between services.
import type { ServiceBroker } from "moleculer";
import {
  defineEnvironment,
  EnvironmentError,
  type Environment,
  file,
  flag,
  integer,
  list,
  matching,
  nodeEnvironment,
  oneOf,
  secret,
  text,
} from "../kernel/index.ts";

export const kafkaEnvironment = defineEnvironment(
  "Apache Kafka",
  {
    KAFKA_BROKERS: list({
      pattern: /^[\w.-]+:\d{1,5}$/,
      expected: "`host:port`, commas between",
      defaultSays: "none",
      says: "some brokers of the cluster that moves durable events; they name the others",
    }),
    KAFKA_TLS: flag({ default: false, says: "whether the brokers are spoken to by TLS" }),
    KAFKA_CA: file("certificates of the authorities that sign the brokers', in PEM; for `KAFKA_TLS`"),
    KAFKA_CERT: file("the certificate that this process shows the brokers, in PEM"),
    KAFKA_KEY: file("the private key of `KAFKA_CERT`, in PEM"),
    KAFKA_SASL: oneOf(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], {
      says: "the way in which this process proves who it is; goes with `KAFKA_USER` and `KAFKA_PASSWORD`",
    }),
    KAFKA_USER: matching({
      pattern: /^.{1,200}$/u,
      expected: "a name",
      says: "the user of this process at the brokers",
    }),
    KAFKA_PASSWORD: secret({
      pattern: /^.{1,500}$/su,
      expected: "up to 500 characters",
      isVerbatim: true,
      says: "the password of `KAFKA_USER`",
    }),
    KAFKA_PARTITIONS: integer({
      min: 1,
      max: 1_000,
      default: 16,
      says: "partitions of a topic that is made; those of a topic that is there must be as many",
    }),
    KAFKA_REPLICATION: integer({
      min: 1,
      max: 15,
      defaultSays: "the brokers'",
      says: "copies of each partition of a topic that is made",
    }),
    KAFKA_RETENTION_HOURS: integer({
      min: 1,
      max: 87_600,
      default: 168,
      says: "hours for which a topic keeps events, for readers outside; our own read older ones from the log",
    }),
  },
  ({ KAFKA_TLS, KAFKA_CA, KAFKA_CERT, KAFKA_KEY, KAFKA_SASL, KAFKA_USER, KAFKA_PASSWORD }) => {
    if ((KAFKA_CERT === undefined) !== (KAFKA_KEY === undefined))
      throw new EnvironmentError("KAFKA_CERT", KAFKA_CERT ?? "", "KAFKA_CERT and KAFKA_KEY, or neither");
    const ofTls = KAFKA_CA ?? KAFKA_CERT;
    if (!KAFKA_TLS && ofTls !== undefined)
      throw new EnvironmentError("KAFKA_TLS", "off", "on, as KAFKA_CA and KAFKA_CERT are for TLS");
    if (new Set([KAFKA_SASL, KAFKA_USER, KAFKA_PASSWORD].map(value => value === undefined)).size > 1)
      throw new EnvironmentError(
        "KAFKA_SASL",
        KAFKA_SASL ?? "",
        "KAFKA_SASL, KAFKA_USER and KAFKA_PASSWORD, or none of them",
      );
  },
);

export const streamEnvironment = defineEnvironment(
  "Durable events",
  {
    CARRIER: oneOf(["local", "jetstream", "kafka"], {
      default: environment =>
        kafkaEnvironment.of(environment).KAFKA_BROKERS !== undefined
          ? "kafka"
          : nodeEnvironment.of(environment).NATS_URL !== undefined
            ? "jetstream"
            : "local",
      defaultSays: "`kafka` with `KAFKA_BROKERS`, else `jetstream` with `NATS_URL`, else `local`",
      says: "the mover of durable events: `kafka`, `jetstream`, or `local`, where each consumer reads the owner's log itself",
    }),
    JETSTREAM_DOMAIN: matching({
      pattern: /^[\w-]{1,64}$/,
      expected: "letters, digits, - and _",
      defaultSays: "none: the NATS user's own JetStream",
      says: "where JetStream is for this NATS user: a domain, or with `npx valence nats-conf` the account `EVENTS`",
    }),
    PARTITIONS: oneOf(["1", "2", "4", "8", "16", "32", "64", "128"], {
      default: "16",
      says: "parts into which a consumer of events is divided among the nodes that run it: as many nodes as this can share it, and nodes of another number wait until those before are gone",
    }),
    RELEASE: text({
      default: environment => environment.text("npm_package_version") ?? "",
      defaultSays: "the version in package.json",
      says: "the release that runs here, such as an image's tag; a start with another one tries parked streams once more",
    }),
  },
  ({ CARRIER }, environment) => {
    if (CARRIER === "jetstream" && nodeEnvironment.of(environment).NATS_URL === undefined)
      throw new EnvironmentError("CARRIER", CARRIER, "local, or NATS_URL to be set as well");
    if (CARRIER === "kafka" && kafkaEnvironment.of(environment).KAFKA_BROKERS === undefined)
      throw new EnvironmentError("CARRIER", CARRIER, "another one, or KAFKA_BROKERS to be set as well");
  },
);

/** What an outage of a server of messages means on this node, which may serve only messages from outside and public events. */
export const meanwhileWithout = (carrier: "jetstream" | "kafka", settings: ServiceBroker | Environment): string =>
  streamEnvironment.of(settings).CARRIER === carrier
    ? "consumers read the logs"
    : "messages from outside and public events wait";
