// The port of the gateway, and the parties that it trusts: proxies, the issuer of tokens.
import {
  checked,
  defineEnvironment,
  EnvironmentError,
  flag,
  integer,
  list,
  matching,
  nodeEnvironment,
  oneOf,
  text,
  url,
} from "../kernel/index.ts";
import { limits } from "./limits.ts";

/** Keys that are fetched over plain HTTP could be anybody's; tests and a first try run an issuer on this machine. */
function issuerProblem(text: string): string | undefined {
  const { protocol, hostname, username, search, hash } = URL.canParse(text) ? new URL(text) : new URL("none:");
  const isHere = protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  if (protocol !== "https:" && !isHere) return "a URL that starts with https: (http: on this machine only)";
  return username || search || hash ? "a URL without user, query or fragment" : undefined;
}

/** The service that listens on PORT. */
export const GATEWAY = "api";

export const gatewayEnvironment = defineEnvironment(
  "The gateway",
  {
    PORT: integer({
      min: 0,
      max: 65_535,
      default: 3_000,
      says: "HTTP port of the gateway; 0 lets the system choose",
    }),
    TRUSTED_PROXIES: integer({
      min: 0,
      max: 10,
      default: 0,
      says:
        "proxies before the gateway that append to `X-Forwarded-For`: the client's address, by which limits count, is at this " +
        "position from its end; 0: it is the address of the connection",
    }),
    PUBLIC_URL: url({
      protocols: ["http:", "https:"],
      says: "address at which clients reach the gateway, for example `https://api.example.com`: cookies, mails and the API's description name it",
    }),
    ALLOWED_ORIGINS: list({
      pattern: /^https?:\/\/[a-z0-9.-]+(?::\d{1,5})?$/,
      expected: "origins as browsers send them, `https://api.example.com`, with commas between",
      default: [],
      defaultSays: "none",
      says: "origins whose pages may call the API from a browser",
    }),
    RATE_LIMIT_PERCENT: integer({
      min: 0,
      max: 1_000_000,
      default: 100,
      says: "requests that a client may send, in percent of [the limits](limits.md) of each class of routes; 0: no limits",
    }),
    KEEP_ALIVE_MS: integer({
      min: 1_000,
      max: 3_600_000,
      default: limits.keepAliveMs,
      says:
        "milliseconds that an idle connection stays open, one without a first request too: more than a balancer before the " +
        "gateway keeps it, or it sends requests into connections that close",
    }),
    HEADERS_TIMEOUT_MS: integer({
      min: 100,
      max: 600_000,
      default: limits.headersTimeoutMs,
      says: "milliseconds from the first byte of a request to the end of its header: then 408",
    }),
    REQUEST_BODY_TIMEOUT_MS: integer({
      min: 100,
      max: 600_000,
      default: limits.bodyTimeoutMs,
      says: "milliseconds that the rest of a request may take after those: then 408",
    }),
    CACHE_MB: integer({
      min: 0,
      max: 4_096,
      default: 64,
      says: "megabytes of public answers that the gateway keeps in memory; 0: none",
    }),
    IMAGE_DIR: text({
      defaultSays: "none: such an image is a drawing",
      says: "folder of the originals of images whose address begins with `/`",
    }),
    IMAGE_NETWORKS: list({
      pattern: /^[\da-fA-F:.]+\/\d{1,3}$/,
      expected: "networks such as `10.1.0.0/16` or `fd00::/8`, commas between",
      default: [],
      defaultSays: "none: originals are at public addresses, by https",
      says: "private networks from which originals of images are fetched as well",
    }),
    IMAGES_MB: integer({
      min: 0,
      max: 4_096,
      default: 32,
      says: "megabytes of images, made smaller, that the gateway keeps in memory",
    }),
    OIDC_ISSUER: checked({
      form: "the issuer's URL, byte for byte as its tokens have it in `iss`; https, except on this machine",
      problem: issuerProblem,
      says:
        "an OpenID Connect issuer whose access tokens are taken beside our own: people of a company log in there; needs " +
        "`OIDC_AUDIENCE`",
    }),
    ACCESS_LOG: matching({
      pattern: /^(?:on|off|1|0(?:\.\d{1,4})?)$/,
      expected: "on, off, or a share of the reads from 0 to 1",
      default: "0.01",
      says:
        "lines in the log, one for each request that changes something or fails, and for this share of the reads that " +
        "succeed; `on` is all of them",
    }),
    INTERNAL_ROUTES: oneOf(["public", "internal"], {
      default: "public",
      says: "`internal`: `/metrics` and `/api/…/ops/…` are served on `HEALTH_PORT` alone, to the same users; `PORT` answers 404 for them",
    }),
    WEB: flag({
      default: true,
      says:
        "pages for browsers: the gateway serves those that are built, and builds them beside its start where their sources have " +
        "changed; with `NODE_ENV=production` it builds nothing",
    }),
    ASSET_BASE_URL: url({
      protocols: ["http:", "https:"],
      defaultSays: "none: from the gateway itself",
      says:
        "address of a delivery network that has the gateway's `/assets`: pages load their scripts and styles from there; " +
        "`https://assets.example` means `https://assets.example/assets/…`",
    }),
    DOCS_URL: url({
      protocols: ["http:", "https:"],
      defaultSays: "none",
      says: "address of the guide, which `docs/site` builds: `/guide` leads there",
    }),
    TOKEN_ISSUER: text({ default: "valence", says: "issuer and audience of access tokens" }),
  },
  ({ PORT, INTERNAL_ROUTES }, environment) => {
    const { HEALTH_PORT, SERVICES } = nodeEnvironment.of(environment);
    // A process without the gateway does not listen on PORT.
    if (HEALTH_PORT === PORT && PORT !== 0 && SERVICES?.includes(GATEWAY) !== false)
      throw new EnvironmentError("HEALTH_PORT", `${PORT}`, "another than PORT");
    if (INTERNAL_ROUTES === "internal" && HEALTH_PORT === undefined)
      throw new EnvironmentError("INTERNAL_ROUTES", INTERNAL_ROUTES, "HEALTH_PORT, on which they are served");
  },
);
