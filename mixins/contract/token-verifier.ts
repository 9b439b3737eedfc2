// Checks access tokens against the issuer's public keys, for the gateway and for each node that is called by another. The
// form is pinned: algorithm, type, issuer, audience, claims and a key id (RFC 9068, RFC 8725). A JWT of any other form is
// refused, whatever it says. One piece for both, so that no node takes a token that the gateway refuses.
import { createLocalJWKSet, decodeProtectedHeader, errors, jwtVerify, type JSONWebKeySet } from "jose";
import type { Clock } from "../kernel/index.ts";
import type { User } from "./define-service.ts";
import type { Role } from "./roles.ts";

export interface TokenVerifierOptions {
  readonly fetchKeys: () => Promise<JSONWebKeySet>;
  /** Issuer and audience of the tokens. */
  readonly issuer: string;
  readonly clock: Clock;
  /** Seconds after its end for which a token is still taken. */
  readonly toleranceSeconds: number;
  /** Milliseconds after which the keys are fetched anew: a withdrawn key may be accepted until then. */
  readonly keysMaxAgeMs: number;
  /** Milliseconds between two fetches of the keys because of an unknown key id: any client can send one. */
  readonly keysPauseMs: number;
}
export interface VerifiedToken {
  readonly user: User;
  /** End of the token in milliseconds since the epoch, without the tolerance. */
  readonly expiresAt: number;
}

type Keys = { readonly find: ReturnType<typeof createLocalJWKSet>; readonly fetchedAt: number };

export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  #keys: Keys | undefined;
  #fetching: Promise<Keys> | undefined;

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  /**
   * The person of a token, frozen; undefined for a malformed, expired or forged one. Rejects when the keys cannot be
   * fetched, which is not the caller's fault.
   */
  async verify(token: string): Promise<VerifiedToken | undefined> {
    try {
      if (!namesKey(token)) return undefined;
      const { sub, exp, roles, scope, sid, client_id: key } = (await this.#verifyWithKnownKeys(token)).payload;
      if (scope !== undefined && typeof scope !== "string") return undefined;
      if (!sub || !Array.isArray(roles) || !roles.every(role => typeof role === "string")) return undefined;
      const user: User = Object.freeze({
        id: sub,
        // A role that this release does not know opens nothing.
        roles: Object.freeze(roles as Role[]),
        ...(scope !== undefined && { scopes: Object.freeze(scope.split(" ").filter(Boolean)) }),
        ...(typeof sid === "string" && { session: sid }),
        ...(typeof key === "string" && { key }),
      });
      return { user, expiresAt: exp! * 1_000 };
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }

  async #verifyWithKnownKeys(token: string) {
    const { issuer, clock, toleranceSeconds, keysMaxAgeMs, keysPauseMs } = this.#options;
    const verify = ({ find }: Keys) =>
      jwtVerify(token, find, {
        algorithms: ["ES256"],
        typ: "at+jwt",
        issuer,
        audience: issuer,
        clockTolerance: toleranceSeconds,
        requiredClaims: ["exp", "sub", "jti"],
        currentDate: new Date(clock.now()),
      });
    const keys = await this.#keysNotOlderThan(keysMaxAgeMs);
    try {
      return await verify(keys);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const newer = await this.#keysNotOlderThan(keysPauseMs);
      if (newer === keys) throw error;
      return verify(newer);
    }
  }

  async #keysNotOlderThan(ageMs: number): Promise<Keys> {
    const { fetchKeys, clock } = this.#options;
    if (this.#keys && clock.monotonic() - this.#keys.fetchedAt < ageMs) return this.#keys;
    this.#fetching ??= fetchKeys()
      .then(set => (this.#keys = { find: createLocalJWKSet(set), fetchedAt: clock.monotonic() }))
      .finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }
}

/** Whether the token names its key: jose accepts one that does not while the set has a single key. */
function namesKey(token: string): boolean {
  try {
    return typeof decodeProtectedHeader(token).kid === "string";
  } catch {
    return false;
  }
}
