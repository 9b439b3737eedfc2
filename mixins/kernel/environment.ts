// Configuration: environment variables only, read and validated here and nowhere else. A wrong value stops the start
// with a message that names the variable. Nothing set = embedded.
import { availableParallelism } from "node:os";
import {
  locationOf,
  locationProblem,
  meantPrefix,
  prefixIn,
  variableOf,
  variablePrefix,
  type DatabaseLocation,
} from "./database-locations.ts";
import { EMAIL } from "./email.ts";
import { Misconfigured } from "./errors.ts";
import { areFailpoints, FAILPOINTS_FORM } from "./failpoints.ts";
import { natsUrlProblem } from "./nats-url.ts";
import { partsOfPostgresUrl, postgresUrlProblem, type PostgresUrl } from "./postgres-url.ts";
import { shownValue } from "./secrets.ts";

export interface Environment {
  /** HTTP port of the gateway. `PORT`, default 3000; 0 lets the system choose. */
  readonly port: number;
  /** HTTP port where this process tells whether it is well. `HEALTH_PORT`, default: none; 0 lets the system choose. */
  readonly healthPort: number | undefined;
  /**
   * Proxies between clients and the gateway, each of which appends to X-Forwarded-For: a client's address is read there,
   * so many from its end. `TRUSTED_PROXIES`, default 0: it is the connection's.
   */
  readonly trustedProxies: number;
  /** Folder of the embedded databases. `DATA_DIR`, default `data`. */
  readonly dataDir: string;
  /**
   * Where the service's tables live: a SQLite file unless `<SERVICE>_DATABASE_URL` or `DATABASE_URL` says otherwise.
   * Several Postgres URLs with commas between make shards; `<SERVICE>_DATABASE_REPLICA_URL` or `DATABASE_REPLICA_URL`
   * names a standby.
   */
  databaseOf(this: void, service: string): DatabaseLocation;
  /** The variable that says so, for messages. */
  databaseVariableOf(this: void, service: string): string;
  /** A Redis server for sessions, carts, cache and counters. `REDIS_URL`; default: none, they are in SQL and in memory. */
  readonly redisUrl: string | undefined;
  /** The payment provider's base URL. `PAYMENT_PROVIDER_URL`; default: the bundled one, started with the shop. */
  readonly paymentProviderUrl: string | undefined;
  /** What a provider of one's own signs its webhooks with. `PAYMENT_WEBHOOK_SECRET`; the bundled one has its own. */
  readonly paymentWebhookSecret: string | undefined;
  /** Milliseconds that a customer has to agree to a payment at their bank. `PAYMENT_PENDING_MS`, default an hour. */
  readonly paymentPendingMs: number;
  /** The first administrator. `ADMIN_EMAIL`, `ADMIN_PASSWORD`; default: made up and printed once. */
  readonly adminEmail: string;
  readonly adminPassword: string | undefined;
  /** Issuer and audience of access tokens. `TOKEN_ISSUER`, default `valence`. */
  readonly tokenIssuer: string;
  /** What may read `/metrics` besides administrators: a bearer token. `METRICS_TOKEN`; default: nothing else may. */
  readonly metricsToken: string | undefined;
  /** Milliseconds a call may take unless its caller says otherwise. `REQUEST_TIMEOUT_MS`, default 10 000. */
  readonly requestTimeoutMs: number;
  /** Milliseconds that a stop waits for the work at hand. `SHUTDOWN_TIMEOUT_MS`, default 20 000. */
  readonly shutdownTimeoutMs: number;
  /** Seed catalog, stock and administrator on a first start. `SEED`, default on; `SEED=off` leaves the shop empty. */
  readonly seed: boolean;
  readonly logLevel: string;
  readonly namespace: string;
  readonly nodeId: string | undefined;
  /** Where this node stands: calls that any node can answer stay in its zone while they can. `ZONE`. */
  readonly zone: string | undefined;
  /** The bus between brokers. `NATS_URL`, several with commas between for a cluster; default: none, one process. */
  readonly natsUrl: string | undefined;
  /** Broker processes on this machine that share its port and its limits. `WORKERS`, default 1. */
  readonly workers: number;
  /** Which of them this is, from 1 on; undefined for a process on its own. `WORKER`, set by the supervisor. */
  readonly worker: number | undefined;
  /**
   * What moves durable events between services. `CARRIER`, `local` or `jetstream`; default: `jetstream` where there is a
   * `NATS_URL`.
   */
  readonly carrier: "local" | "jetstream";
  /**
   * The release that runs here, such as an image's tag or a commit: a start with another one tries parked streams again.
   * `RELEASE`; default: the version in package.json where npm starts it.
   */
  readonly release: string;
  /** Services of this process, or undefined for all. `SERVICES`, comma-separated. */
  readonly services: readonly string[] | undefined;
  readonly parallelism: number;
}
export class EnvironmentError extends Misconfigured {
  /** `value` is shown without what may be a secret. */
  constructor(variable: string, value: string, expected: string) {
    super(`${variable}="${shownValue(variable, value)}": expected ${expected}`);
  }
}

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace"];

/**
 * Reads and checks the environment. Throws EnvironmentError naming the variable. With the names of all services, also a
 * variable that is for none of them: a misspelt one would leave the service's data where nobody looks for it.
 */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
  known?: readonly string[],
): Environment {
  const text = (name: string): string | undefined => env[name]?.trim() || undefined;
  const integer = (name: string, fallback: number, min: number, max: number): number => {
    const value = text(name);
    if (value === undefined) return fallback;
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max)
      throw new EnvironmentError(name, value, `a whole number from ${min} to ${max}`);
    return number;
  };
  const oneOf = (name: string, choices: readonly string[], fallback: string): string => {
    const value = text(name) ?? fallback;
    if (!choices.includes(value)) throw new EnvironmentError(name, value, `one of ${choices.join(", ")}`);
    return value;
  };
  const url = (name: string, protocols: readonly string[]): string | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    if (!isUrl(value, protocols))
      throw new EnvironmentError(name, value, `a URL that starts with ${protocols.join(" or ")}`);
    // Paths are put at its end; and credentials in a URL are refused by fetch, at each request.
    if (/[@?#]/.test(value)) throw new EnvironmentError(name, value, "a URL without user, query or fragment");
    return value.replace(/\/$/, "");
  };
  const matching = (name: string, pattern: RegExp, expected: string): string | undefined => {
    const value = text(name);
    if (value !== undefined && !pattern.test(value)) throw new EnvironmentError(name, value, expected);
    return value;
  };

  const location = (name: string): string | undefined => {
    const value = text(name);
    const problem = value === undefined ? undefined : locationProblem(value, defaultUser());
    if (problem !== undefined) throw new EnvironmentError(name, value!, problem);
    return value;
  };
  const replica = (name: string): string | undefined => {
    const value = text(name);
    const problem = value === undefined ? undefined : postgresUrlProblem(value, defaultUser());
    if (problem !== undefined) throw new EnvironmentError(name, value!, problem);
    return value;
  };

  const prefixes = (known ?? []).map(variablePrefix);
  for (const name of Object.keys(env)) {
    const prefix = prefixIn(name);
    if (prefix === undefined || prefixes.includes(prefix) || text(name) === undefined) continue;
    const meant = meantPrefix(prefix, prefixes);
    if (meant !== undefined)
      throw new EnvironmentError(name, text(name)!, `another name: ${name.replace(prefix, meant)}`);
  }
  for (const name of ["", ...prefixes.map(prefix => `${prefix}_`)]) {
    location(`${name}DATABASE_URL`);
    replica(`${name}DATABASE_REPLICA_URL`);
  }
  if (text("DATABASE_URL")?.includes(","))
    throw new EnvironmentError(
      "DATABASE_URL",
      text("DATABASE_URL")!,
      "one URL; shards are a service's: ORDERS_DATABASE_URL=<a>,<b>",
    );
  const dataDir = matching("DATA_DIR", /^(?!file:)/i, "a folder; file: begins what SQLite takes for a URI") ?? "data";
  const poolSize = integer("DATABASE_POOL_SIZE", 4, 1, 1_000);
  // As it is: blanks at its ends are part of it. Counted as the contract counts, by code points.
  const adminPassword = env["ADMIN_PASSWORD"] || undefined;
  if (adminPassword !== undefined && !/^.{8,128}$/su.test(adminPassword))
    throw new EnvironmentError("ADMIN_PASSWORD", "…", "8 to 128 characters");
  const metricsToken = text("METRICS_TOKEN");
  if (metricsToken !== undefined && !/^[\w.~+/-]{16,200}=*$/.test(metricsToken))
    throw new EnvironmentError("METRICS_TOKEN", "…", "16 to 200 characters as a bearer token has them");
  const paymentWebhookSecret = text("PAYMENT_WEBHOOK_SECRET");
  if (paymentWebhookSecret !== undefined && paymentWebhookSecret.length < 16)
    throw new EnvironmentError("PAYMENT_WEBHOOK_SECRET", "…", "at least 16 characters");
  const failpoints = text("FAILPOINTS");
  if (failpoints !== undefined && !areFailpoints(failpoints))
    throw new EnvironmentError("FAILPOINTS", failpoints, FAILPOINTS_FORM);
  const services = matching("SERVICES", /^[\w-]+(,[\w-]+)*$/, "service names, commas between")?.split(",");
  const unknown = known && services?.find(name => !known.includes(name));
  if (unknown !== undefined) throw new EnvironmentError("SERVICES", unknown, `some of ${known!.join(",")}`);

  const natsUrl = text("NATS_URL");
  const natsProblem = natsUrl === undefined ? undefined : natsUrlProblem(natsUrl);
  if (natsProblem !== undefined) throw new EnvironmentError("NATS_URL", natsUrl!, natsProblem);
  const carrier = oneOf("CARRIER", ["local", "jetstream"], natsUrl === undefined ? "local" : "jetstream");
  if (carrier === "jetstream" && natsUrl === undefined)
    throw new EnvironmentError("CARRIER", carrier, "local, or NATS_URL to be set as well");

  const port = integer("PORT", 3000, 0, 65_535);
  const healthPort = text("HEALTH_PORT") === undefined ? undefined : integer("HEALTH_PORT", 0, 0, 65_535);
  if (healthPort === port && port !== 0 && services?.includes("api") !== false)
    throw new EnvironmentError("HEALTH_PORT", `${port}`, "another than PORT");

  const environment: Environment = {
    port,
    healthPort,
    trustedProxies: integer("TRUSTED_PROXIES", 0, 0, 10),
    dataDir,
    databaseOf: service => locationOf(service, { location, replica }, { dataDir, poolSize }),
    databaseVariableOf: service => variableOf(service, text),
    redisUrl: redisUrl(text("REDIS_URL")),
    paymentProviderUrl: url("PAYMENT_PROVIDER_URL", ["http:", "https:"]),
    paymentWebhookSecret,
    paymentPendingMs: integer("PAYMENT_PENDING_MS", 3_600_000, 100, 604_800_000),
    adminEmail: matching("ADMIN_EMAIL", EMAIL, "an e-mail address") ?? "admin@example.com",
    adminPassword,
    metricsToken,
    tokenIssuer: text("TOKEN_ISSUER") ?? "valence",
    requestTimeoutMs: integer("REQUEST_TIMEOUT_MS", 10_000, 100, 600_000),
    shutdownTimeoutMs: integer("SHUTDOWN_TIMEOUT_MS", 20_000, 100, 600_000),
    seed: oneOf("SEED", ["on", "off"], "on") === "on",
    logLevel: oneOf("LOGLEVEL", LOG_LEVELS, "info"),
    namespace: matching("NAMESPACE", /^[\w-]{1,64}$/, "letters, digits, - and _") ?? "",
    nodeId: matching("NODEID", /^[\w.-]{1,128}$/, "letters, digits, dots, - and _"),
    zone: matching("ZONE", /^[\w.-]{1,64}$/, "letters, digits, dots, - and _"),
    natsUrl,
    workers: integer("WORKERS", 1, 1, 64),
    worker: integer("WORKER", 0, 0, Infinity) || undefined,
    carrier: carrier as Environment["carrier"],
    release: text("RELEASE") ?? text("npm_package_version") ?? "",
    services,
    parallelism: availableParallelism(),
  };
  // Moleculer lists a broker's options, and these among them, by the REPL's `info` and to whoever calls `$node.options`.
  for (const name of ["redisUrl", "natsUrl", "adminPassword"] as const)
    Object.defineProperty(environment, name, { enumerable: false });
  return environment;
}

const isUrl = (value: string, protocols: readonly string[]): boolean =>
  URL.canParse(value) && protocols.includes(new URL(value).protocol) && new URL(value).hostname !== "";

/** Without a query: the client would take its own settings from there, above ours. */
function redisUrl(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const { protocol, hostname, pathname, search, hash } = URL.canParse(value) ? new URL(value) : ({} as Partial<URL>);
  const isRedis = protocol === "redis:" || protocol === "rediss:";
  if (!isRedis || !hostname || !/^(\/\d{0,4})?$/.test(pathname!) || search || hash)
    throw new EnvironmentError("REDIS_URL", value, EXPECTED_REDIS);
  return value;
}
const EXPECTED_REDIS = "redis://[user:password@]host[:port][/database], or rediss:// for TLS";

/** Who logs in to Postgres when a URL names no user: as the driver sees it, and libpq. */
const defaultUser = (): string => process.env["PGUSER"] || process.env["USER"] || "";

/** The parts of a checked connection URL of Postgres. */
export const readPostgresUrl = (url: string): PostgresUrl => partsOfPostgresUrl(url, defaultUser());

/** The environment of a broker: what its options carry as `valence`, else the process's. */
export const environmentOf = (broker: { options: object }): Environment =>
  (broker.options as { valence?: Environment }).valence ?? readEnvironment();
