// The parts of the accounts service that other ways in than the log-in use, as their actions find them on `this`.
import type { ServiceBroker } from "moleculer";
import type { ApiKeys } from "../api-keys/api-keys.ts";
import type { BrowserSessions } from "../browser-sessions/browser-sessions.ts";
import type { Person } from "../contract.ts";
import type { ExternalPeople } from "../oidc/external-people.ts";
import type { Issuer } from "../oidc/issuer.ts";
import type { Signer } from "../signing-keys.ts";
import type { Users } from "../users.ts";

export interface Entrances {
  readonly broker: ServiceBroker;
  readonly users: Users;
  readonly signer: Signer;
  readonly apiKeys: ApiKeys;
  readonly browsers: BrowserSessions;
  /** The external issuer; undefined without one. */
  readonly issuer: Issuer | undefined;
  readonly externalPeople: ExternalPeople;
  readonly logger: { warn(line: string): void };
  /** The person of these credentials. Refuses as `accounts.login` does. */
  logIn(credentials: { email: string; password: string }, address: string | undefined): Promise<Person>;
  /** Ends the session of a cookie's value, if there is one. */
  endBrowserSession(value: string): Promise<void>;
  /** Tells all gateways that keys, sessions or roles of a user have changed. */
  credentialsChanged(user: string): void;
}
