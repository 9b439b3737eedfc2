// Credentials that are no access token of ours, exchanged for one: accounts checks an API key, a cookie or an issuer's token,
// and mints a token of a minute or so, which travels with every call behind the request. An exchange is asked for once a
// minute and not for each request.
//
// A revocation is told by a hint (`credentials.changed`), which clears what is known of a user. An exchange that began before
// the hint must not be remembered after it, nor joined. Hints get lost: without one, a revoked credential opens the
// gateway until its token's end.
import { hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { isRefusal, type Clock } from "../../kernel/index.ts";
import { limits } from "../limits.ts";
import type { Verified } from "./authentication.ts";
import type { ExchangedKind } from "./credential.ts";

/** Tells gateways that a user's keys, sessions or roles have changed: each credential of the user is asked about anew. */
export const CREDENTIALS_CHANGED = "credentials.changed";
export interface CredentialsChanged {
  readonly user: string;
}

export type Exchange = (kind: ExchangedKind, credential: string) => Promise<Verified>;

export class Exchanges {
  readonly #exchange: Exchange;
  readonly #clock: Clock;
  /** By the credential's hash: a dump of the memory shows no credential. */
  readonly #known = new LRUCache<string, Verified>({ max: limits.exchangesMax });
  /**
   * When each credential was accepted last, in monotonic milliseconds. A credential in use stays known, also where a change
   * of its user, or the end of its token, has it exchanged anew.
   */
  readonly #accepted = new LRUCache<string, number>({ max: limits.exchangesMax });
  readonly #running = new Map<string, Promise<Verified>>();
  #changes = 0;

  constructor(exchange: Exchange, clock: Clock) {
    this.#exchange = exchange;
    this.#clock = clock;
  }

  /** The user of a credential. Requests with the same one share an exchange; a refusal is not remembered. */
  of(kind: ExchangedKind, credential: string): Promise<Verified> {
    const key = keyOf(kind, credential);
    const known = this.#known.get(key);
    if (known && renewsAt(known) > this.#clock.now()) return Promise.resolve(known);
    const running = this.#running.get(key) ?? this.#begin(key, kind, credential);
    this.#running.set(key, running);
    return running;
  }

  /** Whether the credential was accepted lately, and not refused since: its owner is no guesser. */
  remembers(kind: ExchangedKind, credential: string): boolean {
    const acceptedAt = this.#accepted.peek(keyOf(kind, credential));
    return acceptedAt !== undefined && this.#clock.monotonic() - acceptedAt < limits.credentialKnownMs;
  }

  /** Forgets what is known of a user. */
  forget(user: string): void {
    this.#changes++;
    this.#running.clear();
    for (const [key, known] of this.#known.entries()) if (known.user.id === user) this.#known.delete(key);
  }

  #begin(key: string, kind: ExchangedKind, credential: string): Promise<Verified> {
    const changes = this.#changes;
    const exchange = this.#exchange(kind, credential)
      .then(found => {
        const verified = Object.freeze({ ...found, renew: () => this.of(kind, credential) });
        if (changes === this.#changes) this.#known.set(key, verified);
        this.#accepted.set(key, this.#clock.monotonic());
        return verified;
      })
      .catch((error: unknown) => {
        if (isRefusal(error)) this.#accepted.delete(key);
        throw error;
      })
      .finally(() => {
        if (this.#running.get(key) === exchange) this.#running.delete(key);
      });
    return exchange;
  }
}

const keyOf = (kind: ExchangedKind, credential: string): string => hash("sha256", `${kind} ${credential}`, "base64url");

/** Milliseconds since the epoch: the token has to outlive the calls that it travels with. */
export const renewsAt = ({ expiresAt }: Pick<Verified, "expiresAt">): number => expiresAt - limits.exchangeMarginMs;
