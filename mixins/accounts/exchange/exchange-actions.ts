// Each way in ends in the same form, a token that every service can verify: accounts alone knows keys, sessions and
// issuers, and accounts alone signs.
import type { Context, ParamsOf } from "../../contract/index.ts";
import { accountErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Entrances } from "./entrances.ts";

/** The person, and the narrowing, that a credential stands for. */
interface Opened {
  readonly user: string;
  /** Milliseconds since the epoch: the token does not outlive its credential. */
  readonly expiresAt: number;
  readonly scopes?: readonly string[];
  readonly session?: string;
  /** Id of the API key. */
  readonly key?: string;
  /** Roles that the issuer's token gives besides the account's own. */
  readonly roles?: readonly string[];
}

export const exchangeActions = {
  exchange: {
    repeatable: true,
    async handler(this: Entrances, { params: { kind, credential } }: Context<ParamsOf<"accounts.exchange">>) {
      const opened = await OPENED_BY[kind](this, credential);
      const user = opened && (await this.users.byId(opened.user));
      if (!user) throw accountErrors.BAD_CREDENTIAL();
      const { scopes, session, key, roles = [], expiresAt } = opened;
      const subject = { id: user.person.id, roles: [...new Set([...user.person.roles, ...roles])] };
      const leftSeconds = Math.floor((expiresAt - Date.now()) / 1_000);
      if (leftSeconds <= 0) throw accountErrors.BAD_CREDENTIAL();
      const seconds = Math.min(limits.exchangedTokenSeconds, leftSeconds);
      return { token: await this.signer.sign(subject, { session, scopes, key, seconds }) };
    },
  },
};

const OPENED_BY: Readonly<
  Record<"key" | "session" | "oidc", (entrances: Entrances, credential: string) => Promise<Opened | undefined>>
> = {
  key: ({ apiKeys }, text) => apiKeys.find(text),
  session: ({ browsers }, value) => browsers.find(value),
  async oidc({ issuer, externalPeople }, token) {
    if (!issuer) return undefined;
    const claims = await issuer.verify(token);
    const user = await externalPeople.personOf(claims);
    return { user, expiresAt: claims.expiresAt, roles: claims.roles };
  },
};
