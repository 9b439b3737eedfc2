// The parts of the accounts service that other ways in than a log-in use: API keys, browser sessions, an external issuer.
import type { Knex } from "knex";
import type { RedisConnection } from "../../redis/index.ts";
import { CREDENTIALS_CHANGED, type CredentialsChanged } from "../../gateway/index.ts";
import { systemClock } from "../../kernel/index.ts";
import { ApiKeys } from "../api-keys/api-keys.ts";
import type { BrowserSessions } from "../browser-sessions/browser-sessions.ts";
import { RedisBrowserSessions } from "../browser-sessions/redis-browser-sessions.ts";
import { SqlBrowserSessions } from "../browser-sessions/sql-browser-sessions.ts";
import type { Person } from "../contract.ts";
import { madeUpPassword } from "../first-administrator.ts";
import { ExternalPeople } from "../oidc/external-people.ts";
import type { Issuer } from "../oidc/issuer.ts";
import type { AccountsParts } from "../parts.ts";
import type { Opening } from "../sessions/under-password.ts";

/** The fields that their actions find on `this`, besides the parts of every action. */
export interface Entrances extends AccountsParts {
  apiKeys: ApiKeys;
  browsers: BrowserSessions;
  externalPeople: ExternalPeople;
  /** The external issuer; undefined without one. */
  issuer: Issuer | undefined;
  /** Opens a session for the person of these credentials. Refuses as `accounts.login` does. */
  logIn<T>(credentials: Credentials, address: string | undefined, opening: Opening<T>): Promise<LoggedIn<T>>;
  /** Ends the session of a cookie's value, if there is one. */
  endBrowserSession(value: string): Promise<void>;
  /** Ends every way into an account but its password, in a transaction of the database. */
  endEverything(user: string, trx: Knex.Transaction): Promise<void>;
}

export interface Credentials {
  readonly email: string;
  readonly password: string;
}
export interface LoggedIn<T> {
  readonly person: Person;
  readonly opened: T;
}

/** Opens the stores, at the start of the service. `registered`: roles of each new account. */
export function openEntrances(
  service: Entrances,
  { redis, registered }: { redis: RedisConnection | undefined; registered: readonly string[] },
): void {
  const { database, sessions } = service;
  service.apiKeys = new ApiKeys(database, systemClock);
  service.browsers = redis ? new RedisBrowserSessions(redis, sessions) : new SqlBrowserSessions(database, sessions);
  service.externalPeople = new ExternalPeople({
    database,
    clock: systemClock,
    registered,
    unknownPassword: () => service.passwords.hash(madeUpPassword()),
    endEverything: (user, trx) => service.endEverything(user, trx),
    credentialsChanged: user => service.credentialsChanged(user),
    say: line => service.logger.warn(line),
  });
}

/** Methods of the service. */
export const entranceMethods = {
  async endBrowserSession(this: Entrances, value: string): Promise<void> {
    const user = await this.browsers.close(value);
    if (user !== undefined) this.credentialsChanged(user);
  },
  async endEverything(this: Entrances, user: string, trx: Knex.Transaction): Promise<void> {
    await this.apiKeys.revokeAll(user, trx);
    await this.sessions.endAll(user, undefined, trx);
  },
  credentialsChanged(this: Entrances, user: string): void {
    void this.broker.broadcast(CREDENTIALS_CHANGED, { user } satisfies CredentialsChanged);
  },
};
