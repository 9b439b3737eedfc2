// A browser adds its cookies to a request whatever page it comes from. So a request that is authenticated by a cookie and
// may change something has to come from a page of ours; otherwise any site could act for a person who is logged in here
// (cross-site request forgery, CSRF). The same holds for a log-in: another site could log its visitor in as somebody else.
//
// The browser itself says where a request comes from, and no script can change that: `Sec-Fetch-Site`
// (https://www.w3.org/TR/fetch-metadata), and `Origin` where a browser is too old for it. Every browser sends one of them
// with a change, so that a client that sends neither is none, and adds no cookies by itself: it is let through, as Go's
// CrossOriginProtection does (https://pkg.go.dev/net/http#CrossOriginProtection).
import type { IncomingMessage } from "node:http";
import { gatewayErrors } from "../errors.ts";

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);
/** `none`: the person typed the address. */
const OWN_SITES = new Set<unknown>(["same-origin", "none"]);

export class CrossSite {
  readonly #own: string | undefined;
  readonly #allowed: ReadonlySet<string>;

  /** `publicUrl`: the address at which browsers reach the gateway. `allowed`: further origins whose pages are trusted. */
  constructor(publicUrl: string | undefined, allowed: readonly string[]) {
    this.#own = publicUrl === undefined ? undefined : new URL(publicUrl).origin;
    this.#allowed = new Set(allowed);
  }

  /** Refuses (403 `CSRF`) a request that may change something and comes from a page of another origin. */
  refuse({ method = "", headers }: Pick<IncomingMessage, "method" | "headers">): void {
    if (SAFE.has(method)) return;
    const { origin, host, "sec-fetch-site": site } = headers;
    if (origin !== undefined && this.#allowed.has(origin)) return;
    if (site === undefined ? origin === undefined || this.#isOwn(origin, host) : OWN_SITES.has(site)) return;
    throw gatewayErrors.CSRF();
  }

  #isOwn(origin: string, host: string | undefined): boolean {
    if (origin === this.#own) return true;
    return URL.canParse(origin) && host !== undefined && new URL(origin).host === host.toLowerCase();
  }
}
