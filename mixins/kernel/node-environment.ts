// The variables that every process of a cluster has, whatever runs in it: its name, its bus, its share and its time.
import { defineEnvironment, EnvironmentError } from "./environment.ts";
import { areFailpoints, FAILPOINTS_FORM, failpointsIn } from "./failpoints.ts";
import { natsUrlProblem } from "./nats-url.ts";
import { checked, integer, list, matching, oneOf, serverUrl, text } from "./variables.ts";

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
      says: "`/health/live` and `/health/ready` of this process on a port of their own; 0 lets the system choose",
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
  ({ SERVICES, FAILPOINTS }, { declared }) => {
    if (declared === undefined) return;
    const unknown = SERVICES?.find(name => !declared.services.includes(name));
    if (unknown !== undefined)
      throw new EnvironmentError("SERVICES", unknown, `some of ${declared.services.join(",")}`);
    const stray = failpointsIn(FAILPOINTS ?? "").find(name => !declared.failpoints.includes(name));
    if (stray !== undefined)
      throw new EnvironmentError("FAILPOINTS", stray, `a declared failpoint: ${declared.failpoints.join(", ")}`);
  },
);
