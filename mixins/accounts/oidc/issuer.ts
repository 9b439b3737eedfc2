// An external OpenID Connect issuer, whose access tokens (JWT, RFC 9068) are taken beside our own. Its address is configured;
// nothing in a token says where keys are (`jku`, `x5u`, `jwk` are not read). The keys are found by discovery
// (https://openid.net/specs/openid-connect-discovery-1_0.html), fetched when they are first needed, and again when a token
// names an unknown one.
//
// An issuer that cannot be reached is not the client's fault: 503 with `Retry-After`, never 401, as a client that gets a 401
// throws away a token that is good.
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from "jose";
import type { ServiceBroker } from "moleculer";
import { gatewayEnvironment, gatewayErrors } from "../../gateway/index.ts";
import { EMAIL, isRetryable, systemClock, type Clock } from "../../kernel/index.ts";
import { accountsEnvironment } from "../environment.ts";
import { accountErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkRoles, readRoleRules, rolesIn, type RoleRule } from "./role-rules.ts";

export interface IssuerOptions {
  /** Byte for byte as the tokens have it. */
  readonly issuer: string;
  readonly audience: string;
  readonly rules: readonly RoleRule[];
  readonly clock: Clock;
}

/** The issuer that the environment names, if any. Throws EnvironmentError when it gives a role that is not declared. */
export function issuerOf(broker: ServiceBroker, declared: readonly string[]): Issuer | undefined {
  const { OIDC_ISSUER: issuer } = gatewayEnvironment.of(broker);
  const { OIDC_AUDIENCE: audience, OIDC_ROLES } = accountsEnvironment.of(broker);
  if (issuer === undefined || audience === undefined) return undefined;
  const rules = OIDC_ROLES === undefined ? [] : readRoleRules(OIDC_ROLES)!;
  checkRoles(rules, declared);
  return new Issuer({ issuer, audience, rules, clock: systemClock });
}

/** The claims of a verified token. */
export interface ExternalClaims {
  readonly issuer: string;
  readonly subject: string;
  /** Only one that the issuer has verified. */
  readonly email: string | undefined;
  readonly name: string | undefined;
  readonly roles: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** No symmetric one: a public key is no secret, and would verify what anybody signs with it. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
/** Types of access tokens. Others, as that of a log-out token, are signed by the same keys. */
const TYPES = new Set([undefined, "jwt", "at+jwt", "application/at+jwt"]);

type Keys = ReturnType<typeof createRemoteJWKSet>;

export class Issuer {
  readonly #options: IssuerOptions;
  #discovered: { readonly url: string; readonly keys: Keys; readonly at: number } | undefined;
  #discovering: Promise<Keys> | undefined;
  /** Monotonic milliseconds until which a failed discovery is not tried again. */
  #quietUntil = 0;

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  /** The claims of an access token. Refuses `BAD_CREDENTIAL` (401); unavailable `ISSUER_UNAVAILABLE` (503). */
  async verify(token: string): Promise<ExternalClaims> {
    const { issuer, audience, clock } = this.#options;
    try {
      const { payload, protectedHeader } = await jwtVerify(token, (header, jws) => this.#key(header, jws), {
        algorithms: ALGORITHMS,
        issuer,
        audience,
        clockTolerance: limits.issuerClockToleranceSeconds,
        requiredClaims: ["exp", "sub"],
        currentDate: new Date(clock.now()),
      });
      if (!TYPES.has(protectedHeader.typ?.toLowerCase())) throw new errors.JWTInvalid("typ");
      return this.#read(payload);
    } catch (error) {
      if (isOfToken(error))
        throw accountErrors.BAD_CREDENTIAL({ message: "the issuer's token is invalid or has expired" });
      // A key of the issuer that cannot be used: its answer is at fault, as when there is none.
      throw isRetryable(error) ? error : gatewayErrors.ISSUER_UNAVAILABLE({ cause: error });
    }
  }

  #read(payload: JWTPayload): ExternalClaims {
    const { issuer, rules } = this.#options;
    const { sub, exp, email, email_verified, name, cnf } = payload as JWTPayload & Record<string, unknown>;
    // RFC 7800: whoever sends a bound token has to prove a key besides, which a bearer token does not.
    if (cnf !== undefined) throw new errors.JWTInvalid("cnf");
    if (typeof sub !== "string" || sub === "" || sub.length > 255) throw new errors.JWTInvalid("sub");
    return {
      issuer,
      subject: sub,
      email: email_verified === true && typeof email === "string" && EMAIL.test(email) ? email : undefined,
      name: typeof name === "string" ? name : undefined,
      roles: rolesIn(payload, rules),
      expiresAt: exp! * 1_000,
    };
  }

  async #key(header: Parameters<Keys>[0], jws: Parameters<Keys>[1]): Promise<Awaited<ReturnType<Keys>>> {
    const keys = await this.#keys();
    try {
      return await keys(header, jws);
    } catch (error) {
      if (isOfToken(error)) throw error;
      throw gatewayErrors.ISSUER_UNAVAILABLE({ cause: error });
    }
  }

  async #keys(): Promise<Keys> {
    const now = this.#options.clock.monotonic();
    if (this.#discovered && now - this.#discovered.at < limits.discoveryMaxAgeMs) return this.#discovered.keys;
    if (now < this.#quietUntil) return this.#lastKnown();
    this.#discovering ??= this.#discover().finally(() => (this.#discovering = undefined));
    return this.#discovering;
  }

  async #discover(): Promise<Keys> {
    const { clock } = this.#options;
    try {
      const url = await this.#findKeys();
      const keys = url.href === this.#discovered?.url ? this.#discovered.keys : keysAt(url);
      this.#discovered = { url: url.href, keys, at: clock.monotonic() };
      return keys;
    } catch (error) {
      this.#quietUntil = clock.monotonic() + limits.issuerKeysPauseMs;
      return this.#lastKnown(error);
    }
  }

  /** An issuer whose discovery fails may still serve its keys where they have been. */
  #lastKnown(cause?: unknown): Keys {
    if (this.#discovered) return this.#discovered.keys;
    throw gatewayErrors.ISSUER_UNAVAILABLE({ cause });
  }

  /** Where the keys are, by the issuer's own document. */
  async #findKeys(): Promise<URL> {
    const { issuer } = this.#options;
    const response = await fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {
      headers: { accept: "application/json" },
      // It could lead anywhere, into our own network too.
      redirect: "error",
      signal: AbortSignal.timeout(limits.issuerTimeoutMs),
    });
    if (!response.ok) throw new Error(`discovery at ${issuer} answers ${response.status}`);
    const { issuer: named, jwks_uri } = (await response.json()) as { issuer?: unknown; jwks_uri?: unknown };
    if (named !== issuer) throw new Error(`discovery at ${issuer} names another issuer`);
    const url = new URL(String(jwks_uri));
    if (url.protocol !== "https:" && url.protocol !== new URL(issuer).protocol)
      throw new Error(`the keys of ${issuer} are not at an https: URL`);
    return url;
  }
}

const keysAt = (url: URL): Keys =>
  createRemoteJWKSet(url, {
    timeoutDuration: limits.issuerTimeoutMs,
    cooldownDuration: limits.issuerKeysPauseMs,
    cacheMaxAge: limits.issuerKeysMaxAgeMs,
  });

/** Whether an error is about the token. All others are about the way to the issuer, or its answers. */
function isOfToken(error: unknown): boolean {
  return (
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JWTExpired ||
    error instanceof errors.JWTClaimValidationFailed ||
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWSSignatureVerificationFailed ||
    error instanceof errors.JOSEAlgNotAllowed ||
    error instanceof errors.JOSENotSupported ||
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys
  );
}
