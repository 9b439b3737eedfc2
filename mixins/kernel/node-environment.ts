// The variables that every process of a cluster has, whatever runs in it: its name, its bus, its share and its time.
import {
  clusterKeysOf,
  clusterKeysProblem,
  mayBeCalled,
  mayRun,
  nodeKeyProblem,
  type ClusterKeys,
} from "./cluster-keys.ts";
import { defineEnvironment, EnvironmentError, type Environment } from "./environment.ts";
import { areFailpoints, FAILPOINTS_FORM, failpointsIn } from "./failpoints.ts";
import { natsUrlProblem } from "./nats-url.ts";
import { checked, file, hidden, integer, list, matching, oneOf, serverUrl, text } from "./variables.ts";

const NAME = "letters, digits, dots, - and _";

export const nodeEnvironment = defineEnvironment(
  "Every process",
  {
    SERVICES: list({
      pattern: /^[\w-]+$/,
      expected: "service names, commas between",
      defaultSays: "all",
      says: "services of this process",
    }),
    SERVICEDIR: text({ default: "services", says: "folder of the services: `<service>/<service>.service.ts`" }),
    NODEID: matching({
      pattern: /^[\w.-]{1,128}$/,
      expected: NAME,
      defaultSays: "host name and process number",
      says: "name of this node; a second process of one name does not start",
    }),
    NAMESPACE: matching({
      pattern: /^[\w-]{1,64}$/,
      expected: "letters, digits, - and _",
      default: "",
      says: "separates clusters that share a NATS or Redis server",
    }),
    LOGLEVEL: oneOf(["fatal", "error", "warn", "info", "debug", "trace"], {
      default: "info",
      says: "the least that is logged",
    }),
    NATS_URL: serverUrl({
      form: "`nats://user:password@host:4222`",
      problem: natsUrlProblem,
      defaultSays: "none: one machine",
      says: "the bus between brokers, `tls://` for TLS; several with commas between are one cluster. Its `max_payload` is 1 MiB or more",
    }),
    NATS_CA: file("certificates of the authorities that sign the NATS server's, in PEM; for `tls://`"),
    NATS_CERT: file("the certificate that this process shows the NATS server, in PEM"),
    NATS_KEY: file("the private key of `NATS_CERT`, in PEM"),
    // Hidden, since it may be a private key by mistake.
    CLUSTER_KEYS: hidden({
      form: "a JWK set, or a file with it",
      problem: clusterKeysProblem,
      defaultSays: "none: the bus is trusted",
      says: "public keys of the cluster's roles, and the services that each may run: [identity in a cluster](cluster-identity.md)",
    }),
    NODE_KEY: hidden({
      form: "a private JWK, or a file with it",
      problem: nodeKeyProblem,
      says: "the private key of this node's role; goes with `CLUSTER_KEYS`",
    }),
    ZONE: matching({
      pattern: /^[\w.-]{1,64}$/,
      expected: NAME,
      says: "where this node stands: a call that any node can answer stays in its zone while it can",
    }),
    WORKERS: integer({
      min: 1,
      max: 64,
      default: 1,
      says: "processes on this machine that share the port and the limits: `npm start -- --workers 4`",
    }),
    WORKER: integer({
      min: 1,
      max: 64,
      says: "which of the workers this process is. The supervisor sets it, not people",
    }),
    HEALTH_PORT: integer({
      min: 0,
      max: 65_535,
      defaultSays: "none",
      says: "`/health/live`, `/health/startup` and `/health/ready` of this process on a port of their own; 0 lets the system choose",
    }),
    REQUEST_TIMEOUT_MS: integer({
      min: 100,
      max: 600_000,
      default: 10_000,
      says: "milliseconds that a call may take, unless its caller says otherwise",
    }),
    SHUTDOWN_TIMEOUT_MS: integer({
      min: 100,
      max: 600_000,
      default: 20_000,
      says: "milliseconds that a stop waits for the work at hand, in all",
    }),
    FAILPOINTS: checked({
      form: `\`${FAILPOINTS_FORM}\``,
      problem: value => (areFailpoints(value) ? undefined : FAILPOINTS_FORM),
      says: "for tests: where the process is killed, throws or waits. [The failpoints](#failpoints)",
    }),
  },
  (values, { declared }) => {
    const { SERVICES, FAILPOINTS, NATS_CERT, NATS_KEY } = values;
    if ((NATS_CERT === undefined) !== (NATS_KEY === undefined))
      throw new EnvironmentError("NATS_CERT", NATS_CERT ?? "", "NATS_CERT and NATS_KEY, or neither");
    checkIdentity(values, declared?.services);
    if (declared === undefined) return;
    const unknown = SERVICES?.find(name => !declared.services.includes(name));
    if (unknown !== undefined)
      throw new EnvironmentError("SERVICES", unknown, `some of ${declared.services.join(",")}`);
    const stray = failpointsIn(FAILPOINTS ?? "").find(name => !declared.failpoints.includes(name));
    if (stray !== undefined)
      throw new EnvironmentError("FAILPOINTS", stray, `a declared failpoint: ${declared.failpoints.join(", ")}`);
  },
);

interface Identifying {
  readonly CLUSTER_KEYS?: string | undefined;
  readonly NODE_KEY?: string | undefined;
  readonly NODEID?: string | undefined;
  readonly SERVICES?: readonly string[] | undefined;
}

/** Throws EnvironmentError for keys that do not go together, and for a name or a service that the role may not have. */
function checkIdentity({ CLUSTER_KEYS, NODE_KEY, NODEID, SERVICES }: Identifying, all: readonly string[] = []): void {
  if ((CLUSTER_KEYS === undefined) !== (NODE_KEY === undefined))
    throw new EnvironmentError("CLUSTER_KEYS", CLUSTER_KEYS ?? "", "CLUSTER_KEYS and NODE_KEY, or neither");
  if (CLUSTER_KEYS === undefined || NODE_KEY === undefined) return;
  const { own } = readKeys(CLUSTER_KEYS, NODE_KEY);
  if (NODEID !== undefined && !mayBeCalled(own, NODEID))
    throw new EnvironmentError("NODEID", NODEID, `${own.name}.<anything>, as NODE_KEY is the key of ${own.name}`);
  const services = SERVICES ?? all;
  if (services.some(service => !mayRun(own, service)))
    throw new EnvironmentError(
      "SERVICES",
      services.join(","),
      `some of ${own.services.join(",")}, which ${own.name} may run`,
    );
}

function readKeys(clusterKeys: string, nodeKey: string): ClusterKeys {
  try {
    return clusterKeysOf(clusterKeys, nodeKey);
  } catch (error) {
    throw new EnvironmentError("NODE_KEY", "…", (error as Error).message);
  }
}

const read = new WeakMap<object, ClusterKeys>();

/** The keys of the cluster and of this node; undefined where none are set. */
export function clusterKeysIn(from: Environment | { readonly options: object }): ClusterKeys | undefined {
  const values = nodeEnvironment.of(from);
  const { CLUSTER_KEYS, NODE_KEY } = values;
  if (CLUSTER_KEYS === undefined || NODE_KEY === undefined) return undefined;
  const keys = read.get(values) ?? readKeys(CLUSTER_KEYS, NODE_KEY);
  read.set(values, keys);
  return keys;
}
