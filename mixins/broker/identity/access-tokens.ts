// The person behind a call from another node, from the access token that travels with the call. Each node checks it against
// the issuer's public keys, so that no node can make up a person, nor give one a role. The form is pinned as the gateway
// pins it: algorithm, type, issuer, audience, claims and a key id (RFC 9068, RFC 8725).
import { createLocalJWKSet, decodeProtectedHeader, errors, jwtVerify, type JSONWebKeySet } from "jose";
import type { Role, User } from "../../contract/index.ts";
import type { Clock } from "../../kernel/index.ts";
import { brokerErrors } from "../errors.ts";
import { IDENTITY_LIMITS as limits } from "./limits.ts";

type Keys = { readonly find: ReturnType<typeof createLocalJWKSet>; readonly fetchedAt: number };

export class AccessTokens {
  readonly #fetchKeys: () => Promise<JSONWebKeySet>;
  readonly #issuer: string;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly user: User; readonly until: number }>();
  #keys: Keys | undefined;
  #fetching: Promise<Keys> | undefined;

  constructor(options: { fetchKeys: () => Promise<JSONWebKeySet>; issuer: string; clock: Clock }) {
    this.#fetchKeys = options.fetchKeys;
    this.#issuer = options.issuer;
    this.#clock = options.clock;
  }

  /** The person of a token that was verified lately. */
  known(token: string): User | undefined {
    const found = this.#known.get(token);
    return found && found.until > this.#clock.now() ? found.user : undefined;
  }

  /** The person of a token. Refuses `CALLER_UNPROVEN` (401); `KEYS_UNAVAILABLE` (503) when no keys can be fetched. */
  async verify(token: unknown): Promise<User> {
    if (typeof token !== "string" || token.length > limits.tokenCharsMax || !namesKey(token))
      throw brokerErrors.CALLER_UNPROVEN();
    try {
      const { payload } = await this.#verifyWithKnownKeys(token);
      const { sub, exp, roles, scope, sid } = payload;
      if (!sub || !Array.isArray(roles) || !roles.every(role => typeof role === "string"))
        throw new errors.JWTInvalid("claims");
      if (scope !== undefined && typeof scope !== "string") throw new errors.JWTInvalid("scope");
      const user: User = Object.freeze({
        id: sub,
        roles: Object.freeze(roles as Role[]),
        ...(scope !== undefined && { scopes: Object.freeze(scope.split(" ").filter(Boolean)) }),
        ...(typeof sid === "string" && { session: sid }),
      });
      this.#remember(token, user, (exp! + limits.tokenToleranceSeconds) * 1_000);
      return user;
    } catch (error) {
      // A failure to fetch the keys is not the caller's fault.
      if (error instanceof errors.JOSEError) throw brokerErrors.CALLER_UNPROVEN();
      throw brokerErrors.KEYS_UNAVAILABLE({ cause: error });
    }
  }

  async #verifyWithKnownKeys(token: string) {
    const verify = ({ find }: Keys) =>
      jwtVerify(token, find, {
        algorithms: ["ES256"],
        typ: "at+jwt",
        issuer: this.#issuer,
        audience: this.#issuer,
        clockTolerance: limits.tokenToleranceSeconds,
        requiredClaims: ["exp", "sub", "jti"],
        currentDate: new Date(this.#clock.now()),
      });
    const keys = await this.#keysNotOlderThan(limits.keysMaxAgeMs);
    try {
      return await verify(keys);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const newer = await this.#keysNotOlderThan(limits.keysPauseMs);
      if (newer === keys) throw error;
      return verify(newer);
    }
  }

  async #keysNotOlderThan(ageMs: number): Promise<Keys> {
    if (this.#keys && this.#clock.monotonic() - this.#keys.fetchedAt < ageMs) return this.#keys;
    this.#fetching ??= this.#fetchKeys()
      .then(set => (this.#keys = { find: createLocalJWKSet(set), fetchedAt: this.#clock.monotonic() }))
      .finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  /** The newest last. Refusals are not remembered: an attacker sends another token each time. */
  #remember(token: string, user: User, endsAt: number): void {
    this.#known.delete(token);
    this.#known.set(token, { user, until: Math.min(endsAt, this.#clock.now() + limits.tokenCacheMs) });
    if (this.#known.size > limits.tokensMax) this.#known.delete(this.#known.keys().next().value!);
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
