// Cross-origin requests of browsers (Fetch standard, CORS protocol). An origin is allowed when ALLOWED_ORIGINS has
// exactly it; `null`, which any sandboxed page has, never is. The answers to allowed origins say so, problems and event
// streams too: a page cannot read an answer that does not, not even why it was refused.
import type { IncomingMessage, ServerResponse } from "node:http";
import { httpLimits as limits } from "./limits.ts";
import type { Fields } from "./response.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

/** Header fields that we read and a page may send, besides those that every page may. A test asks the description for them. */
const ALLOWED_HEADERS = [
  "Authorization",
  "Content-Type",
  "Idempotency-Key",
  "If-Match",
  "If-None-Match",
  "If-Modified-Since",
  "If-Unmodified-Since",
  "Last-Event-ID",
  "Request-Timeout",
  "X-API-Key",
  "X-Correlation-ID",
  "X-Request-ID",
  "X-Session",
].join(", ");
/** Header fields of an answer that a page may read, besides those that every page may. */
const EXPOSED_HEADERS = [
  "Content-Location",
  "Deprecation",
  "ETag",
  "Idempotency-Replayed",
  "Link",
  "Location",
  "RateLimit",
  "RateLimit-Policy",
  "Retry-After",
  "Sunset",
  "X-Request-ID",
].join(", ");

const RESOURCE_POLICY = "Cross-Origin-Resource-Policy";
const FOR_NO_ORIGIN: Fields = SECURITY_HEADERS.filter(([name]) => name === RESOURCE_POLICY).flat();
const FOR_ALLOWED: Fields = [
  "Access-Control-Allow-Credentials",
  "true",
  "Access-Control-Expose-Headers",
  EXPOSED_HEADERS,
  // `same-site` would keep the answer from this page where it is loaded without CORS.
  RESOURCE_POLICY,
  "cross-origin",
];
/** The security headers, but the one that depends on the origin. */
export const FIELDS_FOR_ALL: Fields = SECURITY_HEADERS.filter(([name]) => name !== RESOURCE_POLICY).flat();

export class Cors {
  readonly #origins: ReadonlySet<string>;

  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** The fields of every answer by which pages of other origins may read it, if theirs is allowed, or may not. */
  fieldsFor({ headers: { origin } }: IncomingMessage): Fields {
    if (origin === undefined || !this.#origins.has(origin)) return FOR_NO_ORIGIN;
    // Pages log in by cookie, too. With credentials the origin must be named: `*` does not count.
    return ["Access-Control-Allow-Origin", origin, ...FOR_ALLOWED];
  }

  /**
   * Tells the page of an allowed origin which methods and fields its next request may have. False for any request but the
   * preflight of one.
   */
  preflight({ method, headers }: IncomingMessage, res: ServerResponse, methods: string): boolean {
    const { origin, "access-control-request-method": asked } = headers;
    if (method !== "OPTIONS" || asked === undefined || origin === undefined || !this.#origins.has(origin)) return false;
    res.setHeader("Access-Control-Allow-Methods", methods);
    res.setHeader("Access-Control-Allow-Headers", ALLOWED_HEADERS);
    res.setHeader("Access-Control-Max-Age", limits.preflightSeconds);
    return true;
  }
}
