// Users, log-in and roles, as one service schema; keys, sessions, passwords and mails have a folder each. Passwords, hashes and
// tokens never reach a log or an error.
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { defineService, oneOfPageAndCursor, type Context } from "../contract/index.ts";
import { recordingActs } from "../audit/mixin.ts";
import { Sql } from "../database/mixin.ts";
import { gatewayEnvironment } from "../gateway/index.ts";
import { announce, Misconfigured, nodeEnvironment, systemClock } from "../kernel/index.ts";
import {
  fallingBack,
  MemoryCounter,
  RedisCounter,
  redisOf,
  type Counter,
  type RedisConnection,
} from "../redis/index.ts";
import { accountActs } from "./account-acts.ts";
import { apiKeyActions } from "./api-keys/api-key-actions.ts";
import { apiKeyTable } from "./api-keys/api-keys.ts";
import { browserSessionActions } from "./browser-sessions/browser-session-actions.ts";
import { browserSessionEnds } from "./browser-sessions/sql-browser-sessions.ts";
import { ADMIN, VIEWER, rolesDeclared, type AccountsContract, type Person } from "./contract.ts";
import { answerHandlers } from "./answers/actions.ts";
import { answerTable, SqlAnswers } from "./answers/sql-answers.ts";
import { completeKeys, emailKeys, normalEmail } from "./email-keys.ts";
import {
  administratorText,
  FirstAdministrator,
  firstAdministratorTable,
  madeUpPassword,
} from "./first-administrator.ts";
import {
  entranceMethods,
  openEntrances,
  type Credentials,
  type Entrances,
  type LoggedIn,
} from "./exchange/entrances.ts";
import { exchangeActions } from "./exchange/exchange-actions.ts";
import { externalPeopleTable } from "./oidc/external-people.ts";
import { issuerOf } from "./oidc/issuer.ts";
import { refusingKeys } from "./key-use.ts";
import { KnownAddresses, knownAddressTable } from "./known-addresses.ts";
import { days, limits } from "./limits.ts";
import { accountsEnvironment } from "./environment.ts";
import { LoginAttempts } from "./login-attempts.ts";
import { keyActions } from "./keys/key-actions.ts";
import { keyRotation } from "./keys/key-table.ts";
import { SigningKeys } from "./keys/signing-keys.ts";
import { accountMailHandings, accountMails, accountMailTraces } from "./mail/account-mails.ts";
import { mailedTokenTable } from "./mail/mailed-tokens.ts";
import { openAccountMails } from "./mail/open-mails.ts";
import { verificationActions } from "./mail/verification-actions.ts";
import type { AccountsParts } from "./parts.ts";
import { passwordActions } from "./passwords/password-actions.ts";
import { Passwords } from "./passwords/passwords.ts";
import { PasswordStrength } from "./passwords/strength.ts";
import { changeProfile } from "./profile.ts";
import { RedisSessions } from "./redis-sessions.ts";
import { grantLine, Roles } from "./roles.ts";
import { assertSessionLasts } from "./session-lasts.ts";
import type { Opened } from "./session-store.ts";
import { deviceOf } from "./sessions/device.ts";
import { openUnderPassword, type Opening } from "./sessions/under-password.ts";
import { sessionActions } from "./sessions/session-actions.ts";
import { sessionClients, sessionTables, SqlSessions } from "./sql-sessions.ts";
import { emailVerification, userTable, Users, type User } from "./users.ts";
import { accountErrors } from "./errors.ts";

export interface AccountsOptions {
  /** Roles that each new account gets, and the first administrator besides `admin`. Default: none. */
  readonly registered?: readonly string[];
  /**
   * Whether a first start makes an administrator, of `ADMIN_EMAIL`, with a password of its own. Where `ADMIN_PASSWORD` names
   * one it always does. Default: always.
   */
  readonly firstAdministrator?: (broker: ServiceBroker) => boolean;
}

type Accounts = AccountsParts & Entrances;

const migrations = [
  userTable,
  sessionTables,
  firstAdministratorTable,
  knownAddressTable,
  emailKeys,
  keyRotation,
  sessionClients,
  emailVerification,
  mailedTokenTable,
  accountMails,
  apiKeyTable,
  browserSessionEnds,
  externalPeopleTable,
  answerTable,
  accountMailTraces,
  accountMailHandings,
];

/**
 * The accounts service of a domain: `Accounts(accountsContract({ roles: ["clerk"] }), { registered: ["clerk"] })`.
 * Throws Misconfigured when `registered` names a role that the contract does not declare, `admin` or `viewer`.
 */
export function Accounts(contract: AccountsContract, options: AccountsOptions = {}): ServiceSchema {
  const { registered = [], firstAdministrator = () => true } = options;
  const undeclared = registered.find(role => !rolesDeclared(contract).includes(role));
  if (undeclared !== undefined) throw new Misconfigured(`accounts: the role "${undeclared}" is not declared`);
  if (registered.includes(ADMIN))
    throw new Misconfigured("accounts: every person who registers would be an administrator");
  if (registered.includes(VIEWER))
    throw new Misconfigured("accounts: every person who registers would see all of operations");

  const schema = defineService(contract, {
    mixins: [Sql({ migrations })],

    created() {
      this.passwords = new Passwords();
      this.strength = new PasswordStrength();
      this.issuer = issuerOf(this.broker, rolesDeclared(contract));
    },
    async started() {
      const say = (line: string): void => this.logger.warn(line);
      const redis = redisOf(this.broker);
      await redis?.tried;
      this.users = new Users(this.database, systemClock);
      this.roles = new Roles(this.database, systemClock);
      await completeKeys(this.database.knex);
      this.sessions = redis ? new RedisSessions(redis) : new SqlSessions(this.database);
      const counter = counterIn(redis, nodeEnvironment.of(this.broker).WORKERS);
      this.attempts = new LoginAttempts({
        byAccount: counter("failed-logins", limits.failedLoginsWindowMs),
        byAddress: counter("failed-logins-by-address", limits.failedLoginsWindowMs),
      });
      this.registrations = counter("registrations", limits.registrationsWindowMs);
      this.answers = new SqlAnswers(this.database);
      this.known = new KnownAddresses(this.database, systemClock);
      this.signer = new SigningKeys({
        database: this.database,
        issuer: gatewayEnvironment.of(this.broker).TOKEN_ISSUER,
        everyMs: days(accountsEnvironment.of(this.broker).KEY_ROTATION_DAYS),
        say,
      });
      await this.signer.open();
      openEntrances(this as unknown as Accounts, { redis, registered });
      const isNamed = accountsEnvironment.of(this.broker).ADMIN_PASSWORD !== undefined;
      if (isNamed || firstAdministrator(this.broker)) await this.makeFirstAdministrator();
      const { broker, database, users, logger } = this;
      Object.assign(this, openAccountMails({ broker, service: this.fullName, database, users, counter, logger }));
    },
    async stopped() {
      await (this as unknown as Partial<Accounts>).mails?.stop();
    },

    methods: {
      ...entranceMethods,
      logIn<T>(credentials: Credentials, address: string | undefined, opening: Opening<T>): Promise<LoggedIn<T>> {
        return logIn(this as unknown as Accounts, credentials, address, opening);
      },

      /** Only the first of several workers makes the administrator: each would make up another password. */
      async makeFirstAdministrator(): Promise<void> {
        const { WORKER = 1 } = nodeEnvironment.of(this.broker);
        const { ADMIN_EMAIL: email, ADMIN_PASSWORD } = accountsEnvironment.of(this.broker);
        const first = new FirstAdministrator(this.database, systemClock);
        if (WORKER !== 1 || !(await first.isWanted())) return;
        const password = ADMIN_PASSWORD ?? madeUpPassword();
        const outcome = await first.make(email, await this.passwords.hash(password), registered);
        if (outcome === "taken")
          this.logger.warn(
            `ADMIN_EMAIL: ${email} has an account already, and there is no administrator: name another address`,
          );
        if (outcome !== "made") return;
        announce(this, {
          lines: () => [["admin", administratorText(email, ADMIN_PASSWORD === undefined ? password : undefined)]],
          shown: () => first.shown(),
        });
      },
    },

    actions: {
      async register(this: Accounts, { params: { email, password, name }, meta: { address } }) {
        if (address !== undefined) await countRegistration(this.registrations, address);
        // Checked before hashing, to answer sooner; the unique index decides.
        if (await this.users.byEmail(email)) throw accountErrors.EMAIL_TAKEN({ field: "email" });
        await this.strength.assertStrong("password", password, { email, name });
        const passwordHash = await this.passwords.hash(password);
        const person = await this.database.transaction(async trx => {
          const added = await this.users.within(trx).add({ email, name, roles: [...registered], passwordHash });
          await this.outbox.add({ kind: "verify-email", user: added.id }, trx);
          return added;
        });
        this.mails.wake();
        if (address !== undefined) await this.known.remember({ person, passwordHash }, address);
        return person;
      },

      async login(this: Accounts, { params, meta: { address, userAgent } }) {
        const { person, opened } = await this.logIn(params, address, {
          open: user => this.sessions.open(user, { device: deviceOf(userAgent), address }),
          close: ({ token }) => this.sessions.revoke(token),
        });
        return tokens(this.signer, person, opened);
      },

      async refresh(this: Accounts, { params: { refreshToken }, meta: { address }, requestID }) {
        const onReuse = (family: { user: string; session: string }) =>
          this.logger.warn(reuseLine({ ...family, address, requestId: requestID }));
        const next = await this.sessions.rotate(refreshToken, { address, onReuse });
        const user = next && (await this.users.byId(next.user));
        if (!user) throw accountErrors.BAD_REFRESH_TOKEN();
        return tokens(this.signer, user.person, next);
      },

      async logout(this: Accounts, { params: { refreshToken } }) {
        await this.sessions.revoke(refreshToken);
        return { loggedOut: true };
      },

      get: {
        repeatable: true,
        async handler(this: Accounts, ctx) {
          const user = mayRead(ctx) ? await this.users.byId(ctx.params.id) : undefined;
          if (!user) throw accountErrors.USER_NOT_FOUND({ field: "id" });
          return user.person;
        },
      },

      list: {
        repeatable: true,
        async handler(this: Accounts, { params }) {
          oneOfPageAndCursor(params);
          const { page = 1, pageSize = limits.pageSize, cursor, ...filter } = params;
          const offset = (page - 1) * pageSize;
          const found = await this.users.page({ ...filter, offset, limit: pageSize, cursor });
          return { ...found, ...(cursor === undefined && { page }), pageSize };
        },
      },

      async setRoles(this: Accounts, ctx) {
        await assertSessionLasts(this, ctx);
        const { params, meta, requestID } = ctx;
        const { id, roles, if: conditions } = params;
        const by = meta.user?.id;
        const { before, after } = await this.roles.set({ by, id, roles, conditions });
        const line = grantLine(before, after, { by: by!, address: meta.address, requestId: requestID });
        if (line !== undefined) {
          this.logger.warn(line);
          this.credentialsChanged(id);
        }
        return after;
      },

      ...keyActions,
      ...sessionActions,
      ...passwordActions,
      ...verificationActions,
      ...apiKeyActions,
      ...browserSessionActions,
      ...exchangeActions,
      ...answerHandlers,
      async changeProfile(this: Accounts, ctx) {
        const { person, if: conditions, ...change } = ctx.params;
        if (ctx.meta.user?.id !== person) throw accountErrors.USER_NOT_FOUND({ field: "person" });
        await assertSessionLasts(this, ctx);
        return changeProfile(this.database, systemClock, { id: person, ...change, conditions });
      },
    },
  });
  return recordingActs(refusingKeys(schema), "account", accountActs);
}

/** Opens a session for the person with this address and password; a log-in of any kind counts as an attempt. */
async function logIn<T>(
  accounts: Accounts,
  { email, password }: Credentials,
  address: string | undefined,
  opening: Opening<T>,
): Promise<LoggedIn<T>> {
  const { users, passwords, known, attempts } = accounts;
  let found: User | undefined;
  const isKnown = async (): Promise<boolean> => {
    const user = await users.byEmail(email);
    return user !== undefined && known.has(user, address!);
  };
  const isRight = await attempts.isRight({ account: normalEmail(email), address, isKnown }, async () => {
    found = await users.byEmail(email);
    return passwords.verify(found?.passwordHash, password);
  });
  if (!found || !isRight) throw accountErrors.BAD_CREDENTIALS();
  const user = await withTodaysHash(accounts, found, password);
  const opened = await openUnderPassword(accounts, user, opening);
  if (address !== undefined) await known.remember(user, address);
  return { person: user.person, opened };
}

/**
 * Replaces a hash that an earlier release made, while the password is known.
 * Refuses `BAD_CREDENTIALS` when the password has changed meanwhile.
 */
async function withTodaysHash({ users, passwords }: Accounts, user: User, password: string): Promise<User> {
  if (!(await passwords.isOfOlderForm(user.passwordHash, password))) return user;
  const passwordHash = await passwords.hash(password);
  if (await users.replaceHash(user, passwordHash)) return { ...user, passwordHash };
  // Another log-in has replaced it, or the password is another one now.
  const current = await users.byId(user.person.id);
  if (!current || !(await passwords.verify(current.passwordHash, password))) throw accountErrors.BAD_CREDENTIALS();
  return current;
}

/** Refuses (429) one registration too many from an address, before the database is asked or a password hashed. */
async function countRegistration(registrations: Counter, address: string): Promise<void> {
  const { count, endsInMs: retryAfterMs } = await registrations.add(address);
  if (count <= limits.registrationsPerAddressMax) return;
  throw accountErrors.TOO_MANY_REGISTRATIONS({ seconds: Math.ceil(retryAfterMs / 1_000), retryAfterMs });
}

/** Counters shared by all processes, in Redis; without Redis each process allows its share. */
const counterIn =
  (redis: RedisConnection | undefined, processes: number) =>
  (name: string, windowMs: number): Counter => {
    const memory = new MemoryCounter({ windowMs, keysMax: limits.countedMax, processes, clock: systemClock });
    return redis ? fallingBack(new RedisCounter(redis, name, windowMs), memory) : memory;
  };

/** The line of the log about a refresh token that was used twice: a thief has it, or had it. */
const reuseLine = (reuse: {
  readonly user: string;
  readonly session: string;
  readonly address: string | undefined;
  readonly requestId: unknown;
}): string =>
  `a used refresh token came again, its session is ended: user ${reuse.user}, session ${reuse.session}, ` +
  `from ${reuse.address ?? "another service"}, request ${String(reuse.requestId)}`;

const tokens = async (signer: SigningKeys, user: Person, { session, token: refreshToken }: Opened) => ({
  accessToken: await signer.sign(user, { session }),
  refreshToken,
  expiresIn: limits.accessTokenSeconds,
  user,
});

/** A person sees their own account, an administrator all; for others the account does not exist. */
function mayRead({ meta, params }: Context<{ id: string }>): boolean {
  return !meta.user || meta.user.id === params.id || meta.user.roles.includes(ADMIN);
}
