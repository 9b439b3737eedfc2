// The carrier of durable events between services.
import { defineEnvironment, EnvironmentError, matching, nodeEnvironment, oneOf, text } from "../kernel/index.ts";

export const streamEnvironment = defineEnvironment(
  "Durable events",
  {
    CARRIER: oneOf(["local", "jetstream"], {
      default: environment => (nodeEnvironment.of(environment).NATS_URL === undefined ? "local" : "jetstream"),
      defaultSays: "`jetstream` with `NATS_URL`, else `local`",
      says: "the mover of durable events: `jetstream`, or `local`, where each consumer reads the owner's log itself",
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
  },
);
