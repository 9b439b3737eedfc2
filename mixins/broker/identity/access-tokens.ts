// The person behind a call from another node, from the access token that travels with the call. Each node checks it against
// the issuer's public keys, so that no node can make up a person, nor give one a role.
import type { JSONWebKeySet } from "jose";
import { callErrors, type User } from "../../contract/index.ts";
import { TokenVerifier } from "../../contract/siblings.ts";
import type { Clock } from "../../kernel/index.ts";
import { IDENTITY_LIMITS as limits } from "./limits.ts";

export class AccessTokens {
  readonly #verifier: TokenVerifier;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly user: User; readonly until: number }>();

  constructor(options: { fetchKeys: () => Promise<JSONWebKeySet>; issuer: string; clock: Clock }) {
    const { tokenToleranceSeconds: toleranceSeconds, keysMaxAgeMs, keysPauseMs } = limits;
    this.#verifier = new TokenVerifier({ ...options, toleranceSeconds, keysMaxAgeMs, keysPauseMs });
    this.#clock = options.clock;
  }

  /** The person of a token that was verified lately. */
  known(token: string): User | undefined {
    const found = this.#known.get(token);
    return found && found.until > this.#clock.now() ? found.user : undefined;
  }

  /** The person of a token. Refuses `CALLER_UNPROVEN` (401); `KEYS_UNAVAILABLE` (503) when no keys can be fetched. */
  async verify(token: unknown): Promise<User> {
    if (typeof token !== "string" || token.length > limits.tokenCharsMax) throw callErrors.CALLER_UNPROVEN();
    const verified = await this.#verifier.verify(token).catch((cause: unknown) => {
      throw callErrors.KEYS_UNAVAILABLE({ cause });
    });
    if (!verified) throw callErrors.CALLER_UNPROVEN();
    this.#remember(token, verified.user, verified.expiresAt + limits.tokenToleranceSeconds * 1_000);
    return verified.user;
  }

  /** The newest last. Refusals are not remembered: an attacker sends another token each time. */
  #remember(token: string, user: User, endsAt: number): void {
    this.#known.delete(token);
    this.#known.set(token, { user, until: Math.min(endsAt, this.#clock.now() + limits.tokenCacheMs) });
    if (this.#known.size > limits.tokensMax) this.#known.delete(this.#known.keys().next().value!);
  }
}
