// Finds the person of a request, whichever way they come in: with an access token of ours, an API key, a browser session or a token of the external
// issuer. All end in one form, a user and a token of ours that says so.
import type { IncomingMessage } from "node:http";
import { isRefusal } from "../../kernel/index.ts";
import { gatewayErrors } from "../errors.ts";
import type { Authenticator, Verified } from "./authentication.ts";
import { credentialOf, type ExchangedKind } from "./credential.ts";
import type { CrossSite } from "./cross-site.ts";
import type { Exchanges } from "./exchanges.ts";
import type { SessionCookies } from "./session-cookies.ts";

export interface CallerParts {
  readonly authenticator: Authenticator;
  readonly exchanges: Exchanges;
  readonly cookies: SessionCookies;
  readonly crossSite: CrossSite;
  /** The external issuer, if there is one. */
  readonly issuer: string | undefined;
}

/** The refusal of each kind of credential. */
const REFUSED: Readonly<Record<ExchangedKind, () => Error>> = {
  key: gatewayErrors.INVALID_KEY,
  session: gatewayErrors.SESSION_ENDED,
  oidc: gatewayErrors.INVALID_TOKEN,
};

export class Callers {
  readonly #parts: CallerParts;
  constructor(parts: CallerParts) {
    this.#parts = parts;
  }

  /** Whether the request shows no credential at all. Refuses (401) a malformed one. */
  isAnonymous(req: IncomingMessage): boolean {
    return credentialOf(req, this.#parts) === undefined;
  }

  /**
   * Whether the request's credential was right when it was checked last, and not long ago: its owner is no guesser. False for a request without one, or with a malformed one.
   */
  remembers(req: IncomingMessage): boolean {
    try {
      const credential = credentialOf(req, this.#parts);
      if (credential === undefined) return false;
      const { kind, text } = credential;
      if (kind === "token") return this.#parts.authenticator.remembers(req.headers.authorization);
      return this.#parts.exchanges.remembers(kind, text);
    } catch {
      return false;
    }
  }

  /**
   * The user of a request, at once for a token that was verified lately. Refuses a missing, malformed, expired, revoked or forged credential (401: `UNAUTHENTICATED`,
   * `INVALID_TOKEN`, `INVALID_KEY`, `SESSION_ENDED`), and a change by cookie from a page of another site (403 `CSRF`).
   */
  identify(req: IncomingMessage): Verified | Promise<Verified> {
    const credential = credentialOf(req, this.#parts);
    if (!credential) throw gatewayErrors.UNAUTHENTICATED();
    const { kind, text } = credential;
    if (kind === "token") return this.#parts.authenticator.verify(text);
    if (kind === "session") this.#parts.crossSite.refuse(req);
    return this.#parts.exchanges.of(kind, text).catch((error: unknown) => {
      throw isRefusal(error) && error.code === 401 ? REFUSED[kind]() : error;
    });
  }
}
