// Users, log-in and the keys that sign access tokens. Passwords, hashes and refresh tokens never reach a log or an error.
import { defineService, type Context } from "@valence/runtime/contract";
import { Sql } from "@valence/runtime/database/mixin";
import { environmentOf, systemClock } from "@valence/runtime/kernel";
import {
  fallingBack,
  MemoryCounter,
  RedisCounter,
  redisOf,
  type Counter,
  type RedisConnection,
} from "@valence/runtime/redis";
import { contract } from "./contract.ts";
import { accountErrors } from "./errors.ts";
import { FirstAdministrator, firstAdministratorTable, type Made } from "./first-administrator.ts";
import { KnownAddresses, knownAddressTable } from "./known-addresses.ts";
import { limits } from "./limits.ts";
import { LoginAttempts, type Attempt } from "./login-attempts.ts";
import { Passwords } from "./passwords.ts";
import { openSigner, type Signer } from "./signing-keys.ts";
import { RedisSessions } from "./redis-sessions.ts";
import { sessionTables, SqlSessions } from "./sql-sessions.ts";
import type { SessionStore } from "./session-store.ts";
import { emailKeys, normalEmail, userTable, Users, type Person, type User } from "./users.ts";

interface Accounts {
  users: Users;
  sessions: SessionStore;
  signer: Signer;
  passwords: Passwords;
  attempts: LoginAttempts;
  registrations: Counter;
  known: KnownAddresses;
  first: FirstAdministrator;
}

export default defineService(contract, {
  mixins: [Sql({ migrations: [userTable, sessionTables, firstAdministratorTable, knownAddressTable, emailKeys] })],

  created() {
    this.passwords = new Passwords();
  },
  async started() {
    const redis = redisOf(this.broker);
    await redis?.tried;
    this.users = new Users(this.database, systemClock);
    await this.users.completeKeys();
    this.sessions = redis ? new RedisSessions(redis) : new SqlSessions(this.database);
    const counter = counterIn(redis, environmentOf(this.broker).workers);
    this.attempts = new LoginAttempts({
      byAccount: counter("failed-logins", limits.failedLoginsWindowMs),
      byAddress: counter("failed-logins-by-address", limits.failedLoginsWindowMs),
    });
    this.registrations = counter("registrations", limits.registrationsWindowMs);
    this.known = new KnownAddresses(this.database, systemClock);
    this.first = new FirstAdministrator(this.database, systemClock);
    this.signer = await openSigner(this.database, environmentOf(this.broker).tokenIssuer);
  },

  methods: {
    /** For the seeding of this process, which says `administratorShown` when a person knows the password. */
    async makeAdministrator(this: Accounts, email: string, password: string): Promise<Made> {
      return this.first.make(email, await this.passwords.hash(password));
    },
    administratorShown(this: Accounts): Promise<void> {
      return this.first.shown();
    },
  },

  actions: {
    async register(this: Accounts, { params: { email, password, name }, meta: { address } }) {
      if (address !== undefined) await countRegistration(this.registrations, address);
      // Before hashing, for the answer's sake; the unique index decides.
      if (await this.users.byEmail(email)) throw accountErrors.EMAIL_TAKEN({ field: "email" });
      const passwordHash = await this.passwords.hash(password);
      const person = await this.users.add({ email, name, roles: ["customer"], passwordHash });
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

    jwks: {
      repeatable: true,
      handler(this: Accounts) {
        return this.signer.jwks;
      },
    },
  },
});

/** The user whose password this is. What was not looked at, since too many wait or a database is away, does not count. */
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

/** A hash of the form that a release before took is replaced, while the password is at hand. */
async function withTodaysHash({ users, passwords }: Accounts, user: User, password: string): Promise<User> {
  if (!(await passwords.isOfOlderForm(user.passwordHash, password))) return user;
  const passwordHash = await passwords.hash(password);
  await users.replaceHash(user, passwordHash);
  return { ...user, passwordHash };
}

/** Refuses (429) a registration too many of an address, before anything is asked or hashed. */
async function countRegistration(registrations: Counter, address: string): Promise<void> {
  const { count, endsInMs: retryAfterMs } = await registrations.add(address);
  if (count <= limits.registrationsPerAddressMax) return;
  throw accountErrors.TOO_MANY_REGISTRATIONS({ seconds: Math.ceil(retryAfterMs / 1_000), retryAfterMs });
}

/** Counters of all processes, in Redis; without it each takes its share. */
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

/** A person sees their own account, an administrator all; another's does not exist. */
function mayRead({ meta, params }: Context<{ id: string }>): boolean {
  return !meta.user || meta.user.id === params.id || meta.user.roles.includes("admin");
}
