// The person of a bearer access token, and the tokens that were verified lately.
import type { JSONWebKeySet } from "jose";
import { LRUCache } from "lru-cache";
import type { User } from "../../contract/index.ts";
import { TokenVerifier } from "../../contract/siblings.ts";
import { BEARER } from "../../http/siblings.ts";
import { isRefusal, type Clock } from "../../kernel/index.ts";
import { gatewayErrors } from "../errors.ts";
import { limits } from "../limits.ts";

export interface Verified {
  readonly user: User;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /**
   * The access token of ours that says so, which travels with the calls of this person: the client's own, or the one that
   * its credential was exchanged for. Absent for a person who is not logged in.
   */
  readonly token?: string;
  /** Id of the API key that the client sent, if it sent one. */
  readonly keyId?: string;
  /** Asks again whether the credential holds, for what outlives the token; absent for a token that the client sent. */
  readonly renew?: () => Promise<Verified>;
}
export const ANONYMOUS: User = Object.freeze({ id: "", roles: Object.freeze([]) });

export class Authenticator {
  readonly #verifier: TokenVerifier;
  readonly #clock: Clock;
  /** By their own text, which travels with the calls anyway: a digest of each request's token costs more than to find it. */
  readonly #verified = new LRUCache<string, Verified & { readonly cachedUntil: number }>({ max: limits.tokensMax });

  constructor(options: { fetchKeys: () => Promise<JSONWebKeySet>; issuer: string; clock: Clock }) {
    const { clockToleranceSeconds: toleranceSeconds, keysMaxAgeMs, keysPauseMs } = limits;
    this.#verifier = new TokenVerifier({ ...options, toleranceSeconds, keysMaxAgeMs, keysPauseMs });
    this.#clock = options.clock;
  }

  /** The user of an `Authorization` header. Refuses (401) a missing, malformed, expired or forged token. */
  async authenticate(authorization: string | undefined): Promise<Verified> {
    const token = BEARER.exec(authorization ?? "")?.[1];
    if (token === undefined || token.length > limits.tokenCharsMax) throw gatewayErrors.UNAUTHENTICATED();
    return this.verify(token);
  }

  /** The user of a token, at once if it was verified lately. Rejects with a refusal (401) for an expired or forged one. */
  verify(token: string): Verified | Promise<Verified> {
    const known = this.#verified.get(token);
    return known && known.cachedUntil > this.#clock.now() ? known : this.#verifyAnew(token);
  }

  async #verifyAnew(token: string): Promise<Verified> {
    try {
      const verified = await this.check(token);
      this.#remember(token, verified);
      return verified;
    } catch (error) {
      if (isRefusal(error)) this.#verified.delete(token);
      throw error;
    }
  }

  /**
   * Whether the token was verified before and has not ended: its owner is no guesser, also when it is due to be verified
   * anew.
   */
  remembers(authorization: string | undefined): boolean {
    const token = BEARER.exec(authorization ?? "")?.[1];
    if (token === undefined || token.length > limits.tokenCharsMax) return false;
    const known = this.#verified.peek(token);
    return known !== undefined && known.expiresAt > this.#clock.now();
  }

  /** As `verify`, for a token that its caller remembers. */
  async check(token: string): Promise<Verified> {
    const verified = await this.#verifier.verify(token);
    if (!verified) throw gatewayErrors.INVALID_TOKEN();
    return Object.freeze({ ...verified, token });
  }

  /** Verified tokens; the one that was longest without use is forgotten first. Refusals are not remembered: an attacker sends another token each time. */
  #remember(token: string, verified: Verified): void {
    const cachedUntil = Math.min(verified.expiresAt, this.#clock.now() + limits.tokenCacheMs);
    this.#verified.set(token, { ...verified, cachedUntil });
  }
}
