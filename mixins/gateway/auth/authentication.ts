// Verifies bearer access tokens against the issuer's public keys. The form of a token is pinned: algorithm, type, issuer,
// audience, claims and a key id. A JWT of any other form is refused, whatever it says.
import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { createLocalJWKSet, decodeProtectedHeader, errors, jwtVerify, type JSONWebKeySet } from "jose";
import type { User } from "../../contract/index.ts";
import type { Clock } from "../../kernel/index.ts";
import { gatewayErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Role } from "@valence/runtime/contract";

export interface Verified {
  readonly user: User;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** The signed access token, which travels with the calls of this person; undefined for a person who is not logged in. */
  readonly token?: string;
}
export const ANONYMOUS: User = Object.freeze({ id: "", roles: Object.freeze([]) });

type Keys = { readonly find: ReturnType<typeof createLocalJWKSet>; readonly fetchedAt: number };

/** Whether the request has this secret as its bearer token. The comparison takes the same time for every secret. */
export function isBearer({ headers: { authorization = "" } }: IncomingMessage, secret: string): boolean {
  const digest = (text: string): Buffer => hash("sha256", text, "buffer");
  return timingSafeEqual(digest(BEARER.exec(authorization)?.[1] ?? ""), digest(secret));
}
const BEARER = /^Bearer +([\w.~+/-]+=*)$/i;

export class Authenticator {
  readonly #fetchKeys: () => Promise<JSONWebKeySet>;
  readonly #issuer: string;
  readonly #clock: Clock;
  readonly #verified = new Map<string, Verified & { readonly cachedUntil: number }>();
  #keys: Keys | undefined;
  #fetching: Promise<Keys> | undefined;

  constructor(options: { fetchKeys: () => Promise<JSONWebKeySet>; issuer: string; clock: Clock }) {
    this.#fetchKeys = options.fetchKeys;
    this.#issuer = options.issuer;
    this.#clock = options.clock;
  }

  /** The user of an `Authorization` header. Refuses (401) a missing, malformed, expired or forged token. */
  async authenticate(authorization: string | undefined): Promise<Verified> {
    const token = BEARER.exec(authorization ?? "")?.[1];
    if (token === undefined || token.length > limits.tokenCharsMax) throw gatewayErrors.UNAUTHENTICATED();
    const key = hash("sha256", token, "base64url");
    const known = this.#verified.get(key);
    if (known && known.cachedUntil > this.#clock.now()) return known;
    const verified = await this.#verify(token);
    this.#remember(key, verified);
    return verified;
  }

  async #verify(token: string): Promise<Verified> {
    try {
      if (!namesKey(token)) throw new errors.JWTInvalid("no key id");
      const { payload } = await this.#verifyWithKnownKeys(token);
      const { sub, exp, roles } = payload;
      if (!sub || !Array.isArray(roles) || !roles.every(role => typeof role === "string"))
        throw new errors.JWTInvalid("claims");
      // A role that this release does not know opens no route.
      const user = Object.freeze({ id: sub, roles: Object.freeze(roles as Role[]) });
      return Object.freeze({ user, expiresAt: exp! * 1_000, token });
    } catch (error) {
      // A failure to fetch the keys is not the client's fault and is thrown as it is.
      if (!(error instanceof errors.JOSEError)) throw error;
      throw gatewayErrors.INVALID_TOKEN();
    }
  }

  async #verifyWithKnownKeys(token: string) {
    const verify = ({ find }: Keys) =>
      jwtVerify(token, find, {
        algorithms: ["ES256"],
        typ: "at+jwt",
        issuer: this.#issuer,
        audience: this.#issuer,
        clockTolerance: limits.clockToleranceSeconds,
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

  /** Verified tokens, the newest last. Refusals are not remembered: an attacker sends another token each time. */
  #remember(key: string, verified: Verified): void {
    this.#verified.delete(key);
    const cachedUntil = Math.min(verified.expiresAt, this.#clock.now() + limits.tokenCacheMs);
    this.#verified.set(key, { ...verified, cachedUntil });
    if (this.#verified.size > limits.tokensMax) this.#verified.delete(this.#verified.keys().next().value!);
  }
}

/** Whether the token names its key: jose accepts one that does not while the set has a single key. */
function namesKey(token: string): boolean {
  try {
    return decodeProtectedHeader(token).kid !== undefined;
  } catch {
    return false;
  }
}
