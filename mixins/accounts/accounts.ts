// Users, log-in and the keys that sign access tokens, as one service schema. Passwords, hashes and refresh tokens never reach a
// log or an error.
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { defineService, oneOfPageAndCursor, type Context } from "../contract/index.ts";
import { Sql } from "../database/mixin.ts";
import type { Database } from "../database/index.ts";
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
import { ADMIN, rolesDeclared, type AccountsContract, type Person } from "./contract.ts";
import { completeKeys, emailKeys, normalEmail } from "./email-keys.ts";
import {
  administratorText,
  FirstAdministrator,
  firstAdministratorTable,
  madeUpPassword,
} from "./first-administrator.ts";
import { KnownAddresses, knownAddressTable } from "./known-addresses.ts";
import { limits } from "./limits.ts";
import { accountsEnvironment } from "./environment.ts";
import { LoginAttempts, type Attempt } from "./login-attempts.ts";
import { Passwords } from "./passwords.ts";
import { changeProfile } from "./profile.ts";
import { RedisSessions } from "./redis-sessions.ts";
import { grantLine, Roles } from "./roles.ts";
import type { SessionStore } from "./session-store.ts";
import { openSigner, type Signer } from "./signing-keys.ts";
import { sessionTables, SqlSessions } from "./sql-sessions.ts";
import { userTable, Users, type User } from "./users.ts";
import { accountErrors } from "./errors.ts";

export interface AccountsOptions {
  /** Roles that each new account gets, and the first administrator besides `admin`. Default: none. */
  readonly registered?: readonly string[];
  /** Whether a first start makes an administrator, from `ADMIN_EMAIL` and `ADMIN_PASSWORD`. Default: always. */
  readonly firstAdministrator?: (broker: ServiceBroker) => boolean;
}

interface Accounts {
  broker: ServiceBroker;
  database: Database;
  users: Users;
  roles: Roles;
  sessions: SessionStore;
  signer: Signer;
  passwords: Passwords;
  attempts: LoginAttempts;
  registrations: Counter;
  known: KnownAddresses;
  logger: { warn(line: string): void };
}

const migrations = [userTable, sessionTables, firstAdministratorTable, knownAddressTable, emailKeys];

/**
 * The accounts service of a domain: `Accounts(accountsContract({ roles: ["clerk"] }), { registered: ["clerk"] })`.
 * Throws Misconfigured when `registered` names a role that the contract does not declare, or `admin`.
 */
export function Accounts(contract: AccountsContract, options: AccountsOptions = {}): ServiceSchema {
  const { registered = [], firstAdministrator = () => true } = options;
  const undeclared = registered.find(role => !rolesDeclared(contract).includes(role));
  if (undeclared !== undefined) throw new Misconfigured(`accounts: the role "${undeclared}" is not declared`);
  if (registered.includes(ADMIN))
    throw new Misconfigured("accounts: every person who registers would be an administrator");

  return defineService(contract, {
    mixins: [Sql({ migrations })],

    created() {
      this.passwords = new Passwords();
    },
    async started() {
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
      this.known = new KnownAddresses(this.database, systemClock);
      this.signer = await openSigner(this.database, gatewayEnvironment.of(this.broker).TOKEN_ISSUER);
      if (firstAdministrator(this.broker)) await this.makeFirstAdministrator();
    },

    methods: {
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
        const passwordHash = await this.passwords.hash(password);
        const person = await this.users.add({ email, name, roles: [...registered], passwordHash });
        if (address !== undefined) await this.known.remember({ person, passwordHash }, address);
        return person;
      },

      async login(this: Accounts, { params: { email, password }, meta: { address } }) {
        const account = normalEmail(email);
        const attempt = await this.attempts.begin(account, address, async () => {
          const user = await this.users.byEmail(email);
          return user !== undefined && this.known.has(user, address!);
        });
        const found = await rightUser(this, attempt, email, password);
        if (!found) throw accountErrors.BAD_CREDENTIALS();
        await attempt.succeeded();
        const user = await withTodaysHash(this, found, password);
        if (address !== undefined) await this.known.remember(user, address);
        return tokens(this.signer, user.person, await this.sessions.open(user.person.id));
      },

      async refresh(this: Accounts, { params: { refreshToken } }) {
        const next = await this.sessions.rotate(refreshToken);
        const user = next && (await this.users.byId(next.user));
        if (!user) throw accountErrors.BAD_REFRESH_TOKEN();
        return tokens(this.signer, user.person, next.token);
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

      async setRoles(this: Accounts, { params: { id, roles, if: conditions }, meta, requestID }) {
        const by = meta.user?.id;
        const { before, after } = await this.roles.set({ by, id, roles, conditions });
        const line = grantLine(before, after, { by: by!, address: meta.address, requestId: requestID });
        if (line !== undefined) this.logger.warn(line);
        return after;
      },

      async changeProfile(this: Accounts, { params: { person, if: conditions, ...change }, meta }) {
        if (meta.user?.id !== person) throw accountErrors.USER_NOT_FOUND({ field: "person" });
        return changeProfile(this.database, systemClock, { id: person, ...change, conditions });
      },

      jwks: {
        repeatable: true,
        handler(this: Accounts) {
          return this.signer.jwks;
        },
      },
    },
  });
}

/**
 * The user with this password. An attempt whose password was not compared, because too many wait or the database is
 * away, does not count.
 */
async function rightUser(
  { users, passwords }: Accounts,
  attempt: Attempt,
  email: string,
  password: string,
): Promise<User | undefined> {
  try {
    const user = await users.byEmail(email);
    return (await passwords.verify(user?.passwordHash, password)) ? user : undefined;
  } catch (error) {
    await attempt.undo();
    throw error;
  }
}

/** Replaces a hash that an earlier release made, while the password is known. */
async function withTodaysHash({ users, passwords }: Accounts, user: User, password: string): Promise<User> {
  if (!(await passwords.isOfOlderForm(user.passwordHash, password))) return user;
  const passwordHash = await passwords.hash(password);
  await users.replaceHash(user, passwordHash);
  return { ...user, passwordHash };
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

const tokens = async (signer: Signer, user: Person, refreshToken: string) => ({
  accessToken: await signer.sign(user),
  refreshToken,
  expiresIn: limits.accessTokenSeconds,
  user,
});

/** A person sees their own account, an administrator all; for others the account does not exist. */
function mayRead({ meta, params }: Context<{ id: string }>): boolean {
  return !meta.user || meta.user.id === params.id || meta.user.roles.includes(ADMIN);
}
