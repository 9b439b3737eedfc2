// The parts of the accounts service, as its actions find them on `this`.
import type { ServiceBroker } from "moleculer";
import type { Database } from "../database/index.ts";
import type { MailLoop, Outbox } from "../mail/index.ts";
import type { Counter } from "../redis/index.ts";
import type { SigningKeys } from "./keys/signing-keys.ts";
import type { KnownAddresses } from "./known-addresses.ts";
import type { LoginAttempts } from "./login-attempts.ts";
import type { AccountMail } from "./mail/account-mails.ts";
import type { MailLimits } from "./mail/mail-limits.ts";
import type { MailedTokens } from "./mail/mailed-tokens.ts";
import type { PasswordStrength } from "./passwords/strength.ts";
import type { Passwords } from "./passwords/passwords.ts";
import type { Roles } from "./roles.ts";
import type { SessionStore } from "./session-store.ts";
import type { Users } from "./users.ts";

export interface AccountsParts {
  readonly broker: ServiceBroker;
  readonly database: Database;
  readonly users: Users;
  readonly roles: Roles;
  readonly sessions: SessionStore;
  readonly signer: SigningKeys;
  readonly passwords: Passwords;
  readonly strength: PasswordStrength;
  readonly attempts: LoginAttempts;
  readonly registrations: Counter;
  readonly known: KnownAddresses;
  readonly outbox: Outbox<AccountMail>;
  readonly mails: MailLoop<AccountMail>;
  readonly mailLimits: MailLimits;
  readonly mailedTokens: MailedTokens;
  readonly logger: { warn(line: string): void };
  /** Tells all gateways that keys, sessions or roles of a user have changed. */
  credentialsChanged(user: string): void;
}
