// Values of the environment with which a start is possible and production is not safe. What a start refuses is not said
// here again.
import { databaseEnvironment } from "../../database/index.ts";
import { GATEWAY, gatewayEnvironment } from "../../gateway/index.ts";
import { decoded, nodeEnvironment, type Environment } from "../../kernel/index.ts";
import { count, fail, ok, warn, type Result } from "./finding.ts";
import { embeddedIn } from "./machine.ts";

const limits = {
  /** Proxies that stand before a gateway at most: a balancer, an ingress, a CDN. */
  proxies: 3,
  /** Percent of the rate limits above which they hold nobody back. */
  ratePercent: 1_000,
} as const;

export interface Setting {
  readonly environment: Environment;
  /** Whether people depend on these services: then some warnings are failures. */
  readonly isProduction: boolean;
}

export function configurationOf(setting: Setting): readonly Result[] {
  return [...passwordsOf(setting), ...failpointsOf(setting), ...(hasGateway(setting) ? gatewayOf(setting) : [])];
}

const hasGateway = ({ environment }: Setting): boolean =>
  nodeEnvironment.of(environment).SERVICES?.includes(GATEWAY) !== false;
const gatewayOf = (setting: Setting): Result[] => [
  ...addressOf(setting),
  ...originsOf(setting),
  ...proxiesOf(setting),
  ...ratesOf(setting),
];

// ---- passwords

/** Passwords of servers as they come, of examples and of our own demonstrations. */
const KNOWN = new Set(
  (
    "admin administrator changeme change-me default example guest letmein nats pass passw0rd password password1 postgres " +
    "qwerty redis root s3cret secret test user valence welcome 12345678 123456789 1234567890 0123456789abcdef valence-metrics-token " +
    "valence-purge-token"
  ).split(" "),
);
/** Phrases, without what stands between their words. */
const KNOWN_PHRASES = new Set(["correcthorse", "correcthorsebatterystaple", "pleasechange", "changethis"]);

const SECRETS = /(^|_)(PASSWORD|SECRET|TOKEN)$/;
const URLS = /^(NATS|REDIS|SMTP|(\w+_)?DATABASE|(\w+_)?DATABASE_REPLICA)_URL$/;

function passwordsOf({ environment, isProduction }: Setting): Result[] {
  const names = environment.names();
  const weak = names.filter(name => {
    const value = environment.text(name)!;
    if (SECRETS.test(name)) return isKnown(value);
    return URLS.test(name) && credentialsIn(value).some(({ user, password }) => isKnown(password, user));
  });
  const checked = names.filter(name => SECRETS.test(name) || URLS.test(name)).length;
  if (weak.length === 0) return [ok("passwords", `${count(checked, "variable")} with none that is an example`)];
  const message = `${weak.join(", ")}: a password that everybody tries first`;
  return [(isProduction ? fail : warn)("passwords", message, "make one up, for example by `openssl rand -base64 24`")];
}

/** No password at all is another check's: a server may know its users by certificate, or by the socket. */
function isKnown(password: string, user = ""): boolean {
  if (password === "") return false;
  const plain = password.toLowerCase();
  // "secretsecretsecret" is as long as is asked for, and no better than one of them.
  const once = /^(.+?)\1+$/.exec(plain)?.[1] ?? plain;
  if (once.length === 1 || KNOWN.has(once)) return true;
  return KNOWN.has(plain) || plain === user.toLowerCase() || KNOWN_PHRASES.has(plain.replaceAll(/[^a-z]/g, ""));
}

function credentialsIn(value: string): { user: string; password: string }[] {
  return value
    .split(",")
    .map(url => url.trim())
    .filter(url => URL.canParse(url))
    .map(url => new URL(url))
    .map(({ username, password }) => ({ user: decoded(username), password: decoded(password) }));
}

// ---- for tests

function failpointsOf({ environment, isProduction }: Setting): Result[] {
  const { FAILPOINTS } = nodeEnvironment.of(environment);
  if (FAILPOINTS === undefined) return [ok("failpoints", "none")];
  const message = "FAILPOINTS is set: processes kill themselves on purpose";
  return [(isProduction ? fail : warn)("failpoints", message, "take the variable out: it is for tests")];
}

// ---- the gateway

const isHere = (hostname: string): boolean => ["localhost", "127.0.0.1", "[::1]"].includes(hostname);

function addressOf({ environment, isProduction }: Setting): Result[] {
  const { PUBLIC_URL } = gatewayEnvironment.of(environment);
  if (PUBLIC_URL === undefined) {
    if (!isProduction) return [];
    const message = "PUBLIC_URL is not set: cookies, mails and the API's description do not know the address";
    return [warn("address", message, "set it to the address that clients use, with https")];
  }
  const { protocol, hostname } = new URL(PUBLIC_URL);
  if (protocol === "https:" || isHere(hostname)) return [ok("address", `PUBLIC_URL is ${PUBLIC_URL}`)];
  const message = `PUBLIC_URL is ${PUBLIC_URL}: passwords and cookies travel in the clear`;
  return [(isProduction ? fail : warn)("address", message, "put TLS before the gateway, and name the https address")];
}

function originsOf({ environment }: Setting): Result[] {
  const { ALLOWED_ORIGINS } = gatewayEnvironment.of(environment);
  const open = ALLOWED_ORIGINS.filter(origin => origin.startsWith("http:") && !isHere(new URL(origin).hostname));
  if (open.length === 0) return [ok("origins", count(ALLOWED_ORIGINS.length, "origin"))];
  const message = `ALLOWED_ORIGINS has ${open.join(", ")}: whoever is on the way can change that page and call the API`;
  return [warn("origins", message, "serve these pages over https, and name them so")];
}

function proxiesOf({ environment }: Setting): Result[] {
  const { TRUSTED_PROXIES, PUBLIC_URL } = gatewayEnvironment.of(environment);
  if (TRUSTED_PROXIES > limits.proxies) {
    const message = `TRUSTED_PROXIES is ${TRUSTED_PROXIES}: with fewer proxies a client makes its address up, and no limit holds`;
    return [warn("proxies", message, "count the proxies that append to X-Forwarded-For: docs/proxies.md")];
  }
  // The gateway itself speaks plain HTTP.
  if (TRUSTED_PROXIES === 0 && PUBLIC_URL?.startsWith("https:")) {
    const message = "TRUSTED_PROXIES is 0, and PUBLIC_URL is https: all clients count as the proxy that ends TLS";
    return [warn("proxies", message, "set TRUSTED_PROXIES to the number of proxies: docs/proxies.md")];
  }
  return [ok("proxies", `${TRUSTED_PROXIES} trusted`)];
}

function ratesOf({ environment }: Setting): Result[] {
  const { RATE_LIMIT_PERCENT } = gatewayEnvironment.of(environment);
  if (RATE_LIMIT_PERCENT > 0 && RATE_LIMIT_PERCENT <= limits.ratePercent)
    return [ok("rates", `${RATE_LIMIT_PERCENT} % of the limits`)];
  const message = `RATE_LIMIT_PERCENT is ${RATE_LIMIT_PERCENT}: passwords can be tried without end`;
  return [warn("rates", message, "take the variable out, or set it between 1 and 1000")];
}

// ---- the databases

/** What the environment alone can tell: that there is a bus, and with it perhaps a second machine. */
export function sharingOf({ environment }: Setting, services: readonly string[]): readonly Result[] {
  if (nodeEnvironment.of(environment).NATS_URL === undefined) return [];
  const embedded = embeddedIn(environment, services);
  if (embedded.length === 0) return [ok("sharing", "no service has a SQLite file here")];
  const message = `${embedded.join(", ")} on SQLite in ${databaseEnvironment.of(environment).DATA_DIR}, and NATS_URL is set: each machine has a file of its own`;
  return [warn("sharing", message, "run each of them on one machine alone, or give it a DATABASE_URL on Postgres")];
}
